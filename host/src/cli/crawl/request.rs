//! The arguments of `crawl`, and from them the request that the API would be sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use url::Url;

use super::listed;
use crate::{
    cli::{
        rules::{self, RulesArgs},
        tell, wrong_usage,
    },
    dataset,
    model::{DuplicateScope, Input, Pdq},
    plugins::LoadedPlugin,
    services::create::{JobRequest, MOST_UNLIKE},
};

/// How a table of pictures is read.
const TABLES: &str = "a table of pictures, with their licences, titles and tags, is read by --source url-list \
    --url ADDRESS from a server (for example of `python3 -m http.server`, let in with PIXCRAWLER_ALLOW_PRIVATE)";
/// Longest name of a job, in characters.
const LONGEST_NAME: usize = 100;

/// Crawl keywords or addresses into a dataset folder
///
/// The folder gets one subfolder a class with the original files, `metadata.jsonl`
/// with source, page, title, creator, licence, size and hash of each, `refused.jsonl` with what was
/// not kept and why, and a `README.md` that says how to load it; it is written while the
/// crawl goes on, and whole at every moment. The same command again continues: nothing that
/// is there is fetched again. Where a folder has a crawl, `--out` alone goes on with it. Rows are kept in the same database as those of `serve`, which may
/// run at the same time.
#[derive(Args, Debug)]
#[command(
    override_usage = "pixcrawler crawl [OPTIONS] <KEYWORD|[NAME=]ADDRESS>...\n       \
        pixcrawler crawl [OPTIONS] --url <[NAME=]ADDRESS>...\n       \
        pixcrawler crawl [OPTIONS] --urls <FILE>\n       \
        pixcrawler crawl [OPTIONS] --out <DIR>",
    after_help = "Examples:\n  \
    pixcrawler crawl \"red panda\" --source openverse --max 200 --out ./red-panda\n  \
    pixcrawler crawl lion tiger --license cc0 --license cc-by --min-size 640x480 --level standard\n  \
    pixcrawler crawl https://example.org/gallery --out ./gallery\n  \
    pixcrawler crawl --out ./gallery --update\n  \
    pixcrawler crawl cats=https://example.org/cats dogs=https://example.org/dogs --out ./pets\n  \
    pixcrawler crawl --urls pages.csv --max 5000 --json > result.json\n\n\
    Exit codes: 0 all that was asked or all that the sources have, 1 failed in whole or in part (what\n\
    was kept is in the folder), nothing was kept, or no site could be reached, 2 wrong usage,\n\
    130 interrupted (the same command again continues)."
)]
pub(in crate::cli) struct CrawlArgs {
    /// What to look for: keywords, and addresses, which begin with https://; each is a class of the
    /// dataset, addresses under the NAME that is given to them
    #[arg(value_name = "KEYWORD|ADDRESS", required_unless_present_any = ["url", "urls", "out"], value_parser = input)]
    inputs: Vec<String>,
    /// Id of a source to ask, see `pixcrawler plugin list`; may be repeated
    /// [default: openverse for keywords, webpage for addresses]
    #[arg(long, value_name = "ID")]
    source: Vec<String>,
    /// Images wanted; with a larger number than before the folder's crawl goes on [default: 1000 for a
    /// new folder, else as before]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub(super) max: Option<i32>,
    /// Folder of the dataset; without keyword or address its crawl goes on [default: the first keyword, or the host of the first address]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Address to crawl, for sources that take addresses, with the name of its class before it or not;
    /// may be repeated
    #[arg(long, value_name = "[NAME=]ADDRESS", value_parser = input)]
    url: Vec<String>,
    /// File with addresses in UTF-8 or UTF-16, `-` for standard input: one a line, with NAME= before it or
    /// not, blank lines and `#` comments skipped; or a table (CSV, TSV) whose header names a column
    /// `url` and, for the class, one `label`
    #[arg(long, value_name = "FILE")]
    urls: Option<PathBuf>,
    /// Class of a keyword or an address; several may have the same; may be repeated
    #[arg(long, value_name = "INPUT=NAME", value_parser = label)]
    label: Vec<[String; 2]>,
    /// Option of a source, see `pixcrawler plugin list`; may be repeated
    #[arg(long, value_name = "SOURCE.NAME=VALUE", value_parser = option)]
    option: Vec<[String; 3]>,
    /// How far two pictures may differ that look alike, of which the best is kept: 0 to 31 bits of their
    /// perceptual hashes [default: 31]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(0..=31))]
    near_duplicates: Option<u8>,
    /// Among which pictures a picture must be the only one of its look, and of its bytes: those of the dataset,
    /// or those of the user, in all datasets: `dataset` or `user` [default: dataset]
    #[arg(long, value_name = "SCOPE", hide_possible_values = true)]
    duplicates_within: Option<DuplicateScope>,
    /// A picture that is mirrored, or turned by quarters, looks like the one that it was made of
    #[arg(long)]
    turned_duplicates: bool,
    /// File of perceptual hashes (PDQ) of pictures that are not wanted, such as those of a benchmark, nor what
    /// looks like them: 64 hexadecimal digits a line, at most 100000; what is behind a `#` is skipped. `pixcrawler
    /// hash` makes such a list; `-` is standard input
    #[arg(long, value_name = "FILE")]
    unlike: Option<PathBuf>,
    /// Language of the keywords, such as `de` or `pt-BR`
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Also what a source marks as not safe for work
    #[arg(long = "unsafe")]
    not_safe: bool,
    /// Look at the pages or results of the folder's crawl again, and fetch what is new or was refused for
    /// what the site may have mended (not found, damaged and the like)
    #[arg(long)]
    pub(super) update: bool,
    /// Forget what was crawled into the folder and begin anew, with a new dataset: what was taken out of the old
    /// one alone may come in again
    #[arg(long, conflicts_with = "update")]
    pub(super) restart: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// A keyword or an address as it was given.
fn input(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty; give what to look for, or an address".to_owned());
    }
    Ok(text.to_owned())
}

/// Input and class of `INPUT=NAME`. Addresses may have `=` in them, classes seldom do.
fn label(text: &str) -> Result<[String; 2], String> {
    let parts = text.rsplit_once('=').filter(|(input, name)| !input.is_empty() && !name.is_empty());
    parts
        .map(|(input, name)| [input, name].map(str::to_owned))
        .ok_or_else(|| "expected INPUT=NAME".to_owned())
}

/// Source, name and value of `SOURCE.NAME=VALUE`.
fn option(text: &str) -> Result<[String; 3], String> {
    let parts = text.split_once('=').and_then(|(place, value)| {
        let (source, name) = place.split_once('.')?;
        (!source.is_empty() && !name.is_empty()).then(|| [source, name, value].map(str::to_owned))
    });
    parts.ok_or_else(|| "expected SOURCE.NAME=VALUE".to_owned())
}

/// The hashes of a list, each once.
///
/// # Errors
/// What is wrong, and in which line.
fn hashes(text: &str) -> Result<Vec<String>, String> {
    let mut seen = BTreeSet::new();
    let mut hashes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let hash = line.split('#').next().unwrap_or_default().trim();
        if hash.is_empty() {
            continue;
        }
        let hash = Pdq::parse(hash)
            .ok_or_else(|| format!("line {number} is not a PDQ hash, which has 64 hexadecimal digits"))?;
        if seen.insert(hash) {
            if hashes.len() == MOST_UNLIKE {
                return Err(format!(
                    "line {number} is one hash more than the {MOST_UNLIKE} that a list may have"
                ));
            }
            hashes.push(hash.to_string());
        }
    }
    Ok(hashes)
}

/// What is looked for, as the API takes it.
#[derive(Debug, Default, PartialEq)]
struct Inputs {
    keywords: Vec<String>,
    urls: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Inputs {
    fn add_url(&mut self, name: Option<&str>, address: &str) -> anyhow::Result<()> {
        self.urls.push(address.to_owned());
        name.map_or(Ok(()), |name| self.add_label(address, name))
    }

    /// Gives an input its class.
    ///
    /// # Errors
    /// When it has another.
    fn add_label(&mut self, input: &str, name: &str) -> anyhow::Result<()> {
        let (input, name) = (input.trim(), name.trim());
        match self.labels.insert(input.to_owned(), name.to_owned()) {
            Some(before) if before != name => Err(wrong_usage(format!(
                "{input} is given two classes, `{before}` and `{name}`; give it one"
            ))),
            _ => Ok(()),
        }
    }

    /// What a job is called by: the keywords, and the classes of addresses or these themselves.
    fn name(&self) -> String {
        let addresses = self.urls.iter().map(|url| self.labels.get(url.trim()).unwrap_or(url));
        let mut names: Vec<&str> = Vec::new();
        for name in self.keywords.iter().chain(addresses).map(|text| text.trim()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let name: String = names.join(", ").chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        name.trim().to_owned()
    }
}

impl CrawlArgs {
    /// What is asked for. The same arguments (and files of addresses) make the same request.
    ///
    /// # Errors
    /// When the file of addresses cannot be read, or an input has two classes.
    pub(super) fn request(&self) -> anyhow::Result<JobRequest> {
        let inputs = self.inputs()?;
        for keyword in inputs.keywords.iter().filter(|keyword| listed::looks_like_address(keyword)) {
            tell(&format!(
                "Note: `{keyword}` is taken as a keyword; an address begins with https://, or is \
                 NAME=https://… where it has a class"
            ));
        }
        let name = Some(inputs.name());
        let mut request = JobRequest { name, safe_search: Some(true), ..JobRequest::default() };
        self.put_options(&mut request, inputs)?;
        Ok(request)
    }

    /// Whether nothing says what to look for.
    pub(super) fn has_no_input(&self) -> bool {
        self.inputs.is_empty() && self.url.is_empty() && self.urls.is_none()
    }

    /// What was asked for `before`, with the options that are given besides.
    ///
    /// # Errors
    /// When an input has two classes.
    pub(super) fn request_like(&self, before: JobRequest) -> anyhow::Result<JobRequest> {
        let mut request = before;
        let mut inputs = Inputs {
            keywords: std::mem::take(&mut request.keywords),
            urls: std::mem::take(&mut request.urls),
            labels: std::mem::take(&mut request.labels),
        };
        for [input, name] in &self.label {
            inputs.add_label(input, name)?;
        }
        self.put_options(&mut request, inputs)?;
        Ok(request)
    }

    /// Puts the inputs and every option that is given into a request.
    ///
    /// # Errors
    /// When the list of unwanted pictures cannot be read.
    fn put_options(&self, request: &mut JobRequest, inputs: Inputs) -> anyhow::Result<()> {
        (request.keywords, request.urls, request.labels) = (inputs.keywords, inputs.urls, inputs.labels);
        for [source, name, value] in self.option.clone() {
            request.options.entry(source).or_default().insert(name, value.into());
        }
        if !self.source.is_empty() {
            request.sources.clone_from(&self.source);
        }
        self.rules.put(&mut request.rules);
        if let Some(bits) = self.near_duplicates {
            request.rules.near_duplicates = bits;
        }
        if let Some(scope) = self.duplicates_within {
            request.rules.duplicates_within = scope;
        }
        if self.turned_duplicates {
            request.rules.turned_duplicates = true;
        }
        if self.language.is_some() {
            request.language.clone_from(&self.language);
        }
        if self.not_safe {
            request.safe_search = Some(false);
        }
        if let Some(max) = self.max {
            request.max_images = Some(max.into());
        }
        if let Some(file) = &self.unlike {
            let shown = file.display();
            let text = read(file).with_context(|| format!("cannot read {shown}"))?;
            request.unlike =
                hashes(&text).map_err(|wrong| wrong_usage(format!("--unlike: {shown}: {wrong}")))?;
        }
        Ok(())
    }

    fn inputs(&self) -> anyhow::Result<Inputs> {
        let mut inputs = Inputs::default();
        for text in self.inputs.iter().chain(&self.url) {
            not_a_file(text)?;
        }
        for text in &self.inputs {
            match listed::named(text) {
                (name, address) if listed::is_address(address) => inputs.add_url(name, address)?,
                _ => inputs.keywords.push(text.clone()),
            }
        }
        for text in &self.url {
            let (name, address) = listed::named(text);
            inputs.add_url(name, address)?;
        }
        if let Some(file) = &self.urls {
            let shown = file.display();
            let text = read(file).with_context(|| format!("cannot read {shown}"))?;
            let (list, unread) =
                listed::addresses(&text).map_err(|wrong| wrong_usage(format!("{shown}: {wrong}")))?;
            if !unread.is_empty() {
                let columns: Vec<String> = unread.iter().map(|name| format!("`{name}`")).collect();
                let columns = columns.join(", ");
                tell(&format!("Note: {shown}: not read of this table: {columns}; {TABLES}"));
            }
            for (name, address) in list {
                inputs.add_url(name.as_deref(), &address)?;
            }
            if inputs.urls.is_empty() && inputs.keywords.is_empty() {
                return Err(wrong_usage(format!("{shown} has no address")));
            }
        }
        for [input, name] in &self.label {
            inputs.add_label(input, name)?;
        }
        Ok(inputs)
    }
}

/// Refuses the name of a file where a keyword or an address is meant: no source could read it.
fn not_a_file(text: &str) -> anyhow::Result<()> {
    let named = text.split_once('=').map_or(text, |(_, behind)| behind).trim();
    let is_file = named.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
        // A word may be a keyword and, by chance, the name of a file.
        || named.contains(['.', '/', '\\']) && Path::new(named).is_file();
    if is_file {
        return Err(wrong_usage(format!(
            "`{text}` is a file of this machine; a list of addresses is given by --urls FILE, and {TABLES}"
        )));
    }
    Ok(())
}

/// The request with `webpage` among its sources, where it names some but none for its addresses.
pub(super) fn with_sources(mut request: JobRequest, installed: &[LoadedPlugin]) -> JobRequest {
    // What is not installed is refused under its own name.
    let takes_addresses = |id: &String| {
        let named = installed.iter().find(|source| source.info.id == *id);
        named.is_none_or(|source| source.info.input == Input::Address)
    };
    let sources = &mut request.sources;
    if !request.urls.is_empty() && !sources.is_empty() && !sources.iter().any(takes_addresses) {
        sources.push("webpage".to_owned());
    }
    request
}

/// The folder for a request that names none.
pub(super) fn folder_name(request: &JobRequest) -> PathBuf {
    let first = request.keywords.first().cloned().or_else(|| {
        let url = Url::parse(request.urls.first()?.trim()).ok()?;
        url.host_str().map(str::to_owned)
    });
    let name = first.unwrap_or_default().trim().to_lowercase().replace(char::is_whitespace, "-");
    PathBuf::from(if name.is_empty() { "dataset".to_owned() } else { dataset::folder_name(&name) })
}

/// The argument that a place in the request comes from.
pub(super) fn argument(pointer: &str) -> String {
    let mut parts = pointer.trim_start_matches('/').split('/');
    let (field, first, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let numbered = |one: &str, all: &str| match first.and_then(|index| index.parse::<usize>().ok()) {
        Some(index) => format!("{one} {}", index + 1),
        None => all.to_owned(),
    };
    match (field, first) {
        ("keywords", _) => numbered("keyword", "keywords"),
        ("urls", _) => numbered("address", "addresses (--url)"),
        ("labels", Some(input)) => format!("--label {}", input.replace("~1", "/").replace("~0", "~")),
        ("labels", None) => "--label".to_owned(),
        ("sources", _) => "--source".to_owned(),
        ("max_images", _) => "--max".to_owned(),
        ("safe_search", _) => "--unsafe".to_owned(),
        ("options", Some(source)) => format!("--option {source}.{}", second.unwrap_or("…")),
        ("options", None) => "--option".to_owned(),
        ("rules", Some(field)) => rules::argument(field),
        ("rules", None) => "the rules (--level, --license, --min-size and the like)".to_owned(),
        (field, _) => format!("--{field}"),
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = fs::read(file)?;
    }
    text(&bytes)
}

/// The text of a list. UTF-16 is seen by its mark or, without, by zeros where other texts have none.
fn text(bytes: &[u8]) -> anyhow::Result<String> {
    let zeros = |odd: usize| bytes.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let guessed = match (zeros(0), zeros(1)) {
        (even, odd) if even > odd => UTF_16BE,
        (even, odd) if odd > even => UTF_16LE,
        _ => UTF_8,
    };
    let encoding = Encoding::for_bom(bytes).map_or(guessed, |(encoding, _)| encoding);
    let (text, encoding, damaged) = encoding.decode(bytes);
    if damaged || text.contains('\0') {
        bail!("it is neither UTF-8 nor UTF-16 (looks like {}); save it as UTF-8", encoding.name());
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_unicode() {
        let list = "https://a.example/ü\r\n# 貓\r\nhttps://a.example/2";
        let little: Vec<u8> = list.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = list.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (mark, bytes) in [
            (&b"\xff\xfe"[..], &little),
            (b"\xfe\xff", &big),
            (b"", &little),
            (b"", &big),
            (b"\xef\xbb\xbf", &list.as_bytes().to_vec()),
            (b"", &list.as_bytes().to_vec()),
        ] {
            assert_eq!(text(&[mark, bytes].concat()).unwrap(), list);
        }
        assert_eq!(text(b"").unwrap(), "");
        let old = b"https://a.example/\xfc".to_vec();
        for bytes in
            [&old, &little[..little.len() - 1].to_vec(), &[&b"\xff\xfe\0\0"[..], b"h\0\0\0"].concat()]
        {
            let error = text(bytes).unwrap_err().to_string();
            assert!(
                error.contains("neither UTF-8 nor UTF-16") && error.contains("save it as UTF-8"),
                "{error}"
            );
        }
    }

    #[test]
    fn lists_of_hashes() {
        let (one, other) = ("0f".repeat(32), "A0".repeat(32));
        let list = format!("# a benchmark\n\n{one}  # a.jpg\n {other}\r\n{one}\n");
        assert_eq!(hashes(&list), Ok(vec![one.clone(), other.to_lowercase()]));
        assert_eq!(hashes(""), Ok(Vec::new()));
        for wrong in [&one[1..], "a.jpg", &format!("{one} {other}"), &"g0".repeat(32)] {
            let error = hashes(&format!("{one}\n# {other}\n{wrong}\n")).unwrap_err();
            assert!(error.starts_with("line 3 is not a PDQ hash"), "{error}");
        }
        let many: String = (0..=MOST_UNLIKE).map(|number| format!("{number:064x}\n")).collect();
        let error = hashes(&many).unwrap_err();
        assert!(error.starts_with("line 100001 is one hash more than the 100000"), "{error}");
        let (last, _) = many.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(hashes(last).map(|hashes| hashes.len()), Ok(MOST_UNLIKE));
    }

    #[test]
    fn options_and_labels() {
        assert_eq!(
            option("openverse.category=photo=graph").unwrap(),
            ["openverse", "category", "photo=graph"]
        );
        for wrong in ["a", "a=b", ".b=c", "a.=c"] {
            assert!(option(wrong).is_err(), "{wrong}");
        }
        assert_eq!(label("https://a.example/?b=c=cats").unwrap(), ["https://a.example/?b=c", "cats"]);
        for wrong in ["a", "=b", "a="] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_is_named_after_the_first_input() {
        let check = |keywords: &[&str], urls: &[&str], expect: &str| {
            let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            let request =
                JobRequest { keywords: texts(keywords), urls: texts(urls), ..JobRequest::default() };
            assert_eq!(folder_name(&request), PathBuf::from(expect));
        };
        check(&["Red Panda", "b"], &[], "red-panda");
        check(&["C#"], &[], "c#");
        check(&["แมวไทย"], &[], "แมวไทย");
        check(&[], &["https://www.example.org/a"], "www.example.org");
        check(&["../.."], &[], "_-0cfd1c96cbc0");
        check(&[], &["nonsense"], "dataset");
    }

    #[test]
    fn places_are_said_as_arguments() {
        let check = |pointer: &str, expect: &str| assert_eq!(argument(pointer), expect);
        check("/keywords/1", "keyword 2");
        check("/urls/0", "address 1");
        check("/urls", "addresses (--url)");
        check("/labels/https:~1~1a.example~1~01", "--label https://a.example/~1");
        check("/sources/3", "--source");
        check("/options/openverse/license", "--option openverse.license");
        check("/rules/formats/0", "--format");
        check("/language", "--language");
    }
}
