//! Real components, built from `tests/guests` by `make plugins`.

mod folder;
mod rollback;

use std::{path::PathBuf, time::Duration};

use futures_util::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::model::{Candidate, Content, Next, Request, Response, SourceError};

/// A deadline that no guest which comes back at all will meet.
const PATIENT: Duration = Duration::from_secs(20);
/// A deadline for those that do not.
const SHORT: Duration = Duration::from_millis(500);

/// The guests under test and the folders they live in.
struct TestHost {
    plugins: Plugins,
    _data: TempDir,
}

impl TestHost {
    /// Loads `files` (name and bytes) from a plugin folder, all granted by the name before the first dot.
    async fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self::with_deadline(files, PATIENT).await
    }

    async fn with_deadline(files: &[(&str, Vec<u8>)], deadline: Duration) -> Self {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        for (name, wasm) in files {
            std::fs::write(folder.join(name), wasm).unwrap();
        }
        let grant = files.iter().filter_map(|(name, _)| name.split('.').next()).map(str::to_owned).collect();
        let settings = config::Plugins { plugin_deadline: deadline, ..settings(Some(folder), grant) };
        let plugins = Plugins::load_from(&[], &settings, data.path()).await.unwrap();
        Self { plugins, _data: data }
    }

    async fn guest(name: &str) -> Self {
        let host = Self::with(&[(&format!("{name}.wasm"), component(name))]).await;
        assert_eq!(host.plugins.refused(), []);
        host
    }
}

fn settings(plugins_dir: Option<PathBuf>, grant: Vec<String>) -> config::Plugins {
    config::Plugins {
        cache_dir: None,
        plugins_dir,
        grant,
        credential: Vec::new(),
        credentials_file: None,
        credentials_command: None,
        plugin_deadline: PATIENT,
        plugin_memory: 64,
        plugins_poll: Duration::from_secs(5),
        plugin_compile_deadline: Duration::from_secs(60),
        program: None,
    }
}

fn component(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/guests/{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make plugins` first", file.display()))
}

fn query(text: &str) -> Query {
    Query {
        text: text.to_owned(),
        limit: 10,
        safe_search: true,
        language: Some("de".to_owned()),
        options: vec![("size".to_owned(), "large".to_owned())],
        credentials: vec!["token".to_owned()],
    }
}

fn answer(request: &Request, body: &str) -> Answer {
    Answer {
        key: request.key.clone(),
        url: request.url.clone(),
        outcome: Ok(Response {
            status: 200,
            url: request.url.clone(),
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: Content::Text(body.to_owned()),
            encoding: None,
        }),
    }
}

fn requests(made: &MeteredStep) -> &[Request] {
    match &made.step.next {
        Next::Fetch(requests) => requests,
        other => panic!("no requests but {other:?}"),
    }
}

#[tokio::test]
async fn a_crawl_in_steps() {
    let TestHost { plugins, _data } = TestHost::guest("steps").await;
    let query = query("red fox");
    let first = plugins.start(&plugins.get("steps").unwrap(), &query).await.unwrap();
    assert_eq!(requests(&first)[0].url, "http://site.example/page/1?q=red+fox");
    assert!(first.peak_memory > 0 && first.cpu > Duration::ZERO);

    let page = answer(&requests(&first)[0], "http://site.example/a.jpg\nhttp://site.example/b.jpg\nmore\n");
    let second =
        plugins.resume(&plugins.get("steps").unwrap(), &query, &first.step.state, &[page]).await.unwrap();
    let urls: Vec<_> = second.step.candidates.iter().map(|candidate| candidate.url.as_str()).collect();
    assert_eq!(urls, ["http://site.example/a.jpg", "http://site.example/b.jpg"]);

    let page = answer(&requests(&second)[0], "http://site.example/c.jpg\n");
    let last =
        plugins.resume(&plugins.get("steps").unwrap(), &query, &second.step.state, &[page]).await.unwrap();
    let only = Candidate { url: "http://site.example/c.jpg".to_owned(), ..Candidate::default() };
    assert_eq!((last.step.candidates, last.step.next), (vec![only], Next::Done));
}

#[tokio::test]
async fn the_sources_own_errors() {
    let TestHost { plugins, _data } = TestHost::guest("steps").await;
    let failed = Answer {
        key: String::new(),
        url: "http://site.example/page/1".to_owned(),
        outcome: Err(crate::model::Failure::Robots("/page".to_owned())),
    };
    let error =
        plugins.resume(&plugins.get("steps").unwrap(), &query("fox"), "1", &[failed]).await.unwrap_err();
    assert!(matches!(&error, StepError::Source(SourceError::Unavailable(text)) if text.contains("Robots")));
    assert!(!error.is_plugins_fault());
}

/// One thread: the loop must give it back for the other source to run.
#[tokio::test(flavor = "current_thread")]
async fn a_loop_ends_and_holds_up_nobody() {
    let host = TestHost::with_deadline(
        &[("loops.wasm", component("loops")), ("steps.wasm", component("steps"))],
        SHORT,
    )
    .await;
    let (looped, other) = {
        let looping = host.plugins.clone();
        let looping = tokio::spawn(async move {
            let outcome = looping.start(&looping.get("loops").unwrap(), &query("fox")).await;
            (outcome, std::time::Instant::now())
        });
        tokio::task::yield_now().await;
        host.plugins.start(&host.plugins.get("steps").unwrap(), &query("fox")).await.unwrap();
        let other = std::time::Instant::now();
        (looping.await.unwrap(), other)
    };
    let (outcome, ended) = looped;
    assert!(other < ended, "the well-behaved source had to wait for the loop");
    let error = outcome.unwrap_err();
    assert!(matches!(error, StepError::Deadline { limit, .. } if limit == SHORT), "{error}");
    assert!(error.is_plugins_fault());
}

/// Calls wait for a place in the pool, and one that is let go gives its place back.
#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_places() {
    let host =
        TestHost::with(&[("loops.wasm", component("loops")), ("steps.wasm", component("steps"))]).await;
    let (loops, fox) = (query("loop"), query("fox"));
    let [looping, sound] = ["loops", "steps"].map(|id| host.plugins.get(id).unwrap());
    let let_go = (0..40).map(|_| tokio::time::timeout(SHORT, host.plugins.start(&looping, &loops)));
    assert!(join_all(let_go).await.iter().all(Result::is_err));
    let steps = join_all((0..200).map(|_| host.plugins.start(&sound, &fox))).await;
    assert!(steps.iter().all(Result::is_ok));
}

/// Epochs do not pass in a host call, so the deadline must not rest on them alone.
#[tokio::test]
async fn a_sleep_ends() {
    let TestHost { plugins, _data } =
        TestHost::with_deadline(&[("loops.wasm", component("loops"))], SHORT).await;
    let error = plugins.start(&plugins.get("loops").unwrap(), &query("sleep")).await.unwrap_err();
    let StepError::Deadline { limit, cpu } = error else { panic!("{error}") };
    assert!(cpu < limit / 2, "{cpu:?}");
}

#[tokio::test]
async fn memory_is_limited() {
    let TestHost { plugins, _data } = TestHost::guest("hog").await;
    let error = plugins.start(&plugins.get("hog").unwrap(), &query("fox")).await.unwrap_err();
    let StepError::Memory { limit, wanted } = error else { panic!("{error}") };
    assert_eq!(limit, 64 << 20);
    assert!(wanted > limit);
}

#[tokio::test]
async fn a_panic_says_why() {
    let TestHost { plugins, _data } = TestHost::guest("trap").await;
    let error = plugins.start(&plugins.get("trap").unwrap(), &query("\u{1b}[31mfox")).await.unwrap_err();
    let StepError::Trap { last_words, .. } = &error else { panic!("{error}") };
    assert!(last_words.contains("no page for `[31mfox`"), "{last_words}");
    // The next call has a fresh instance.
    assert!(matches!(
        plugins.start(&plugins.get("trap").unwrap(), &query("owl")).await,
        Err(StepError::Trap { .. })
    ));
}

#[tokio::test]
async fn limits_are_named_with_numbers() {
    let host = TestHost::with(&[
        ("big-state.wasm", component("big-state")),
        ("too-many.wasm", component("too-many")),
    ])
    .await;
    let start = async |id, text: &str| {
        host.plugins.start(&host.plugins.get(id).unwrap(), &query(text)).await.map_err(|e| e.to_string())
    };
    assert!(start("big-state", "65536").await.is_ok());
    assert_eq!(
        start("big-state", "65537").await.unwrap_err(),
        "too many bytes of state: 65537, at most 65536 are allowed"
    );
    assert_eq!(requests(&start("too-many", "requests 64").await.unwrap()).len(), 64);
    assert_eq!(
        start("too-many", "requests 65").await.unwrap_err(),
        "too many requests in one step: 65, at most 64 are allowed"
    );
    assert!(start("too-many", "requests 0").await.unwrap_err().contains("`fetch` without a request"));
    assert_eq!(start("too-many", "candidates 2000").await.unwrap().step.candidates.len(), 2000);
    assert_eq!(
        start("too-many", "candidates 40000").await.unwrap_err(),
        "too many bytes in what the step returns: at most 16777216 are allowed"
    );
}

#[tokio::test]
async fn answers_that_do_not_fit_are_too_large() {
    let TestHost { plugins, _data } = TestHost::guest("forbidden").await;
    let first =
        plugins.start(&plugins.get("forbidden").unwrap(), &query("http://site.example/")).await.unwrap();
    let request = &requests(&first)[0];
    let body = "x".repeat(7 << 20);
    let answers =
        vec![answer(request, &body), answer(request, &body), answer(request, &body), answer(request, "y")];
    let last = plugins
        .resume(&plugins.get("forbidden").unwrap(), &query("http://site.example/"), "", &answers)
        .await
        .unwrap();
    assert_eq!(last.step.candidates.len(), 3);
    assert_eq!(last.step.warnings, ["Failure::TooLarge(16777216)"]);
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named_and_skipped() {
    let steps = component("steps");
    let host = TestHost::with(&[
        ("again.wasm", component("again")),
        ("cut.wasm", steps[..steps.len() / 2].to_vec()),
        ("empty.wasm", Vec::new()),
        ("module.wasm", b"\0asm\x01\0\0\0".to_vec()),
        ("native.cwasm", b"\x7fELF".to_vec()),
        ("picture.wasm", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("steps.wasm", steps.clone()),
        ("steps2.wasm", steps),
        ("world.wasm", b"\0asm\x0d\0\x01\0".to_vec()),
    ])
    .await;
    let ids: Vec<_> = host.plugins.list().into_iter().map(|installed| installed.info.id).collect();
    assert_eq!(ids, ["again", "steps"]);
    let refused = host.plugins.refused();
    let reason = |file: &str| {
        let refused = refused.iter().find(|refused| refused.name.ends_with(file));
        refused.unwrap_or_else(|| panic!("{file} was not refused")).reason.as_str()
    };
    assert!(reason("/cut.wasm").contains("out of bounds"), "{}", reason("/cut.wasm"));
    assert_eq!(reason("/empty.wasm"), "not a WebAssembly component");
    assert!(reason("/module.wasm").starts_with("a core module"));
    assert_eq!(reason("/picture.wasm"), "not a WebAssembly component");
    assert!(reason("/steps2.wasm").starts_with("the id `steps` is taken by"));
    assert!(reason("/world.wasm").contains("pixcrawler:source/source@0.1.0"), "{}", reason("/world.wasm"));
    assert_eq!(refused.len(), 6);
}

#[tokio::test]
async fn the_folder_overrides_the_binary_and_needs_a_grant() {
    let data = TempDir::new().unwrap();
    let folder = data.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    let bundled: &'static [u8] = component("steps").leak();
    let load = async |grant: Vec<String>| {
        let all: Bundled = vec![("steps", bundled)].leak();
        let settings = settings(Some(folder.clone()), grant);
        Plugins::load_from(all, &settings, data.path()).await.unwrap()
    };
    let plugins = load(Vec::new()).await;
    assert!(plugins.get("steps").unwrap().bundled);
    assert!(plugins.start(&plugins.get("steps").unwrap(), &query("fox")).await.is_ok());

    // A trailing custom section makes it another component that says the same of itself.
    let mut other = bundled.to_vec();
    other.extend([0, 2, 1, b'x']);
    std::fs::write(folder.join("steps.wasm"), other).unwrap();
    let plugins = load(Vec::new()).await;
    assert!(plugins.get("steps").unwrap().bundled, "what merely lies there takes nobody's place");
    let refused = plugins.refused();
    assert!(refused[0].reason.contains("not recorded"), "{refused:?}");

    let plugins = load(vec!["steps".to_owned()]).await;
    assert_eq!(plugins.get("steps").unwrap().grants(&[]).hosts[0].pattern, "site.example");
    assert!(plugins.start(&plugins.get("steps").unwrap(), &query("fox")).await.is_ok());
    assert!(plugins.get("none").is_none());
}

/// A custom section of 5 MB makes any component a big one.
#[tokio::test]
async fn big_components_are_prepared_in_the_background() {
    let mut big = component("steps");
    let size = crate::sandbox::BIG + 1;
    big.push(0);
    let (mut rest, name) = (size + 2, [1, b'x']);
    while rest >= 0x80 {
        big.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    big.push(rest as u8);
    big.extend(name);
    big.resize(big.len() + size, 0);

    let host =
        TestHost::with(&[("steps.wasm", big.clone()), ("steps-cut.wasm", big[..big.len() - 1].to_vec())])
            .await;
    let prepared = async {
        while host.plugins.list().iter().any(|installed| installed.status == PluginStatus::Preparing) {
            assert!(matches!(
                host.plugins.get("steps").unwrap().status,
                PluginStatus::Preparing | PluginStatus::Ready
            ));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), prepared).await.unwrap();
    assert!(host.plugins.start(&host.plugins.get("steps").unwrap(), &query("fox")).await.is_ok());
    assert_eq!(host.plugins.list().len(), 1);
    assert!(host.plugins.refused()[0].name.ends_with("steps-cut.wasm"));
}

/// As a kill or a full disk in the middle of writing would leave it.
#[tokio::test]
async fn a_spoilt_cache_is_made_anew() {
    let data = TempDir::new().unwrap();
    let folder = data.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("steps.wasm"), component("steps")).unwrap();
    let settings = settings(Some(folder), vec!["steps".to_owned()]);
    Plugins::load_from(&[], &settings, data.path()).await.unwrap();
    let compiled = files_below(&data.path().join("cache/plugins"));
    let mut spoilt = 0;
    for file in compiled {
        match std::fs::OpenOptions::new().write(true).open(file) {
            Ok(file) => file.set_len(spoilt * 1000).unwrap(),
            // The cache puts its notes in order meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{error}"),
        }
        spoilt += 1;
    }
    assert!(spoilt > 0);
    let plugins = Plugins::load_from(&[], &settings, data.path()).await.unwrap();
    assert!(plugins.start(&plugins.get("steps").unwrap(), &query("fox")).await.is_ok());
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// All that the binary carries, loaded as it will be for the user.
#[tokio::test]
async fn the_bundled_plugins_are_sound() {
    assert!(!BUNDLED.is_empty(), "the binary carries no plugin; run `make plugins` first");
    let data = TempDir::new().unwrap();
    let plugins = Plugins::load_from(BUNDLED, &settings(None, Vec::new()), data.path()).await.unwrap();
    assert_eq!(plugins.refused(), []);
    assert_eq!(plugins.list().len(), BUNDLED.len());
    assert!(plugins.list().iter().all(|installed| installed.bundled));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error() {
    let data = TempDir::new().unwrap();
    let settings = settings(Some(data.path().join("none")), Vec::new());
    let error = Plugins::load(&settings, data.path()).await.err().unwrap();
    assert!(error.to_string().starts_with("cannot use the folder `"), "{error}");
}

/// Whatever a function of the host is asked for, it is told to be too much at once and not made:
/// a guest is stopped at its deadline only between two of these calls.
#[tokio::test]
async fn much_in_one_call_is_refused_before_it_is_made() {
    let TestHost { plugins, _data } = TestHost::guest("talker").await;
    let talker = plugins.get("talker").unwrap();
    plugins.start(&talker, &query("some")).await.unwrap();
    for what in ["log", "write", "print", "poll", "names"] {
        let error = plugins.start(&talker, &query(what)).await.unwrap_err();
        let given =
            matches!(&error, StepError::TooMuch { what, limit: 65_536, .. } if what.contains("gives"));
        assert!(given, "{what}: {error:?}");
    }
    for (what, words) in [
        ("random", "exceeds limit"),
        ("insecure", "exceeds limit"),
        ("zeroes", "check_write"),
        ("print zeroes", "check_write"),
    ] {
        let error = plugins.start(&talker, &query(what)).await.unwrap_err();
        let trapped = matches!(&error, StepError::Trap { message, .. } if message.contains(words));
        assert!(trapped, "{what}: {error:?}");
    }
}
