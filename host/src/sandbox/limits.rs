//! What one step may carry, to the guest and back. What would harm the host is refused with the limit and the
//! number; what is only too long for one picture is cut or left out, and said.

use encoding_rs::{Encoding, UTF_8};

use super::{step::StepError, text::printable};
use crate::model::{
    self, Answer, AnswerBudget, Answers, Candidate, Content, LONGEST_LABEL, MOST_LABELS, Next, Request,
    SourceError, Step,
};

/// Bytes of what a call of the guest returns, counted by Wasmtime as it copies.
pub(super) const MAX_RETURNED: usize = 16 << 20;
/// Bytes that the guest gives to one function of the host, counted before they are copied.
pub(super) const MAX_GIVEN: usize = 64 << 10;
/// Bytes of state.
const MAX_STATE: usize = 64 << 10;
/// Requests of one step.
const MAX_REQUESTS: usize = 64;
/// Bytes of one request: address, key, headers and body together.
const MAX_REQUEST: usize = 64 << 10;
/// Bytes of a candidate's address; the host asks for none that is longer.
const MAX_URL: usize = 8192;
/// Characters of a title, a name, an id.
const MAX_LINE: usize = 500;
/// Characters of a description.
const MAX_TEXT: usize = 5000;
/// Elements of a candidate's lists: tags, alternates, headers, extra.
const MAX_LIST: usize = 100;
/// Warnings of one step.
const MAX_WARNINGS: usize = 20;
/// Characters of a warning or of an error.
const MAX_WARNING: usize = 500;

/// Finds the answers that no longer fit in 16 MiB together, in their order; the guest is told
/// `too-large` with that number of bytes.
pub(super) fn surplus_answers(answers: &[Answer]) -> Vec<Option<u64>> {
    let mut budget = AnswerBudget::default();
    answers.iter().map(|answer| (!budget.takes(answer)).then_some(Answers::MOST as u64)).collect()
}

/// Brings a step within its bounds. `encoding` is that of the queries in it.
///
/// # Errors
/// [`StepError::TooMuch`] and [`StepError::Invalid`]: the step must not be taken.
pub(super) fn step(mut step: Step, encoding: &'static Encoding) -> Result<Step, StepError> {
    within("bytes of state", step.state.len(), MAX_STATE)?;
    // Postgres cannot hold it, and cutting it out would change what the plugin reads back.
    if step.state.contains('\0') {
        return Err(StepError::Invalid { what: "the state contains U+0000, which cannot be stored" });
    }
    if let Next::Fetch(requests) = &mut step.next {
        if requests.is_empty() {
            return Err(StepError::Invalid {
                what: "`fetch` without a request; the end of a crawl is `done`",
            });
        }
        within("requests in one step", requests.len(), MAX_REQUESTS)?;
        requests.iter().try_for_each(request)?;
        for request in requests.iter_mut().filter(|request| !request.url.is_ascii()) {
            request.encoding = Some(encoding).filter(|encoding| *encoding != UTF_8);
        }
    }
    let found = step.candidates.len();
    step.candidates.retain_mut(|candidate| match address(&candidate.url, encoding) {
        Some(url) => {
            candidate.url = url;
            true
        }
        None => false,
    });
    let left_out = found - step.candidates.len();
    step.candidates.iter_mut().for_each(|candidate| trim(candidate, encoding));
    step.warnings = warnings(step.warnings, left_out);
    Ok(step)
}

/// Makes the texts of an error fit to be shown.
pub(super) fn error(error: SourceError) -> SourceError {
    let shown = |text: String| printable(&text, MAX_WARNING);
    match error {
        SourceError::InvalidQuery(text) => SourceError::InvalidQuery(shown(text)),
        SourceError::Unauthorized(text) => SourceError::Unauthorized(shown(text)),
        SourceError::RateLimited(seconds) => SourceError::RateLimited(seconds),
        SourceError::Unavailable(text) => SourceError::Unavailable(shown(text)),
        SourceError::LayoutChanged(text) => SourceError::LayoutChanged(shown(text)),
        SourceError::Other(text) => SourceError::Other(shown(text)),
    }
}

const fn within(what: &'static str, found: usize, limit: usize) -> Result<(), StepError> {
    if found > limit { Err(StepError::TooMuch { what, limit, found: Some(found) }) } else { Ok(()) }
}

fn request(request: &Request) -> Result<(), StepError> {
    let size = request.url.len()
        + request.key.len()
        + request.item.as_ref().map_or(0, String::len)
        + request.credential.as_ref().map_or(0, String::len)
        + pairs_len(&request.headers)
        + request.body.as_ref().map_or(0, Content::len);
    within("bytes in one request", size, MAX_REQUEST)?;
    let headers = request.headers.iter().flat_map(|(name, value)| [name, value]);
    let mut texts = [&request.url, &request.key]
        .into_iter()
        .chain(&request.item)
        .chain(&request.credential)
        .chain(headers);
    let body = matches!(&request.body, Some(Content::Text(text)) if text.contains('\0'));
    if body || texts.any(|text| text.contains('\0')) {
        return Err(StepError::Invalid { what: "a request contains U+0000, which cannot be stored" });
    }
    Ok(())
}

fn pairs_len(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// An address of the web in the one form in which it is asked, stored and shown as a link.
fn address(url: &str, encoding: &'static Encoding) -> Option<String> {
    if url.len() > MAX_URL || url.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let url = model::address(url, encoding).ok()?;
    let fits = url.as_str().len() <= MAX_URL;
    (fits && matches!(url.scheme(), "http" | "https")).then(|| url.into())
}

/// Cuts what is shown, leaves out what is no address.
fn trim(candidate: &mut Candidate, encoding: &'static Encoding) {
    let link = |url: &mut Option<String>| *url = url.take().and_then(|url| address(&url, encoding));
    let line = |text: &mut Option<String>| cut(text, MAX_LINE);
    line(&mut candidate.id);
    line(&mut candidate.title);
    line(&mut candidate.creator);
    line(&mut candidate.published);
    line(&mut candidate.mime);
    line(&mut candidate.credential);
    cut(&mut candidate.description, MAX_TEXT);
    for url in [&mut candidate.page_url, &mut candidate.thumbnail_url, &mut candidate.creator_url] {
        link(url);
    }
    if let Some(license) = &mut candidate.license {
        license.id = printable(&license.id, MAX_LINE);
        link(&mut license.url);
        line(&mut license.attribution);
    }
    let alternates = candidate.alternates.iter().filter_map(|url| address(url, encoding));
    candidate.alternates = alternates.take(MAX_LIST).collect();
    candidate.tags.truncate(MAX_LIST);
    candidate.tags.iter_mut().for_each(|tag| *tag = printable(tag, MAX_LINE));
    candidate.labels.truncate(MOST_LABELS);
    candidate.labels.retain_mut(|label| {
        *label = class(label);
        !label.is_empty()
    });
    for pairs in [&mut candidate.headers, &mut candidate.extra] {
        pairs.truncate(MAX_LIST);
        for (name, value) in pairs {
            *name = printable(name, MAX_LINE);
            *value = printable(value, MAX_URL);
        }
    }
    // No file is larger, and Postgres counts with a sign.
    candidate.byte_size.take_if(|size| i64::try_from(*size).is_err());
    candidate.checksum.take_if(|checksum| !checksum.hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

/// The name of a class on one line, as a job's own are.
fn class(label: &str) -> String {
    let label = printable(label, usize::MAX);
    let words = label.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(LONGEST_LABEL).collect::<String>().trim_end().to_owned()
}

fn cut(text: &mut Option<String>, max: usize) {
    if let Some(text) = text
        && (text.len() > max || text.chars().any(char::is_control))
    {
        *text = printable(text, max);
    }
}

fn warnings(mut warnings: Vec<String>, left_out: usize) -> Vec<String> {
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    warnings.truncate(MAX_WARNINGS);
    warnings.iter_mut().for_each(|warning| *warning = printable(warning, MAX_WARNING));
    if more > 0 {
        warnings.push(format!("{more} more warnings left out"));
    }
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} candidates left out: not an absolute http or https address of at most {MAX_URL} bytes"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Checksum, Digest, License, Response};
    use crate::sandbox::{bindings::pixcrawler::source::types as wit, convert};

    fn answers(bodies: &[usize]) -> Vec<Answer> {
        let answer = |size: &usize| Answer {
            key: String::new(),
            url: String::new(),
            outcome: Ok(Response {
                status: 200,
                url: String::new(),
                headers: Vec::new(),
                body: Content::Binary(vec![0; *size]),
                encoding: None,
            }),
        };
        bodies.iter().map(answer).collect()
    }

    fn with(next: Next) -> Step {
        Step { candidates: Vec::new(), next, state: String::new(), warnings: Vec::new() }
    }

    fn get(url: &str) -> Request {
        Request::get(url.to_owned())
    }

    fn step(step: Step) -> Result<Step, StepError> {
        super::step(step, UTF_8)
    }

    #[test]
    fn answers_fill_up_in_their_order() {
        let mib = 1 << 20;
        let surplus = surplus_answers(&answers(&[10 * mib, 7 * mib, 6 * mib, 1]));
        assert_eq!(surplus, [None, Some(16 << 20), None, Some(16 << 20)]);
    }

    #[test]
    fn nothing_that_cannot_be_stored() {
        let with_state = Step { state: "a\0".to_owned(), ..with(Next::Done) };
        assert!(matches!(step(with_state), Err(StepError::Invalid { .. })));
        let in_body = Request { body: Some(Content::Text("\0".to_owned())), ..get("http://a.example/") };
        for request in [get("http://a.example/\0"), in_body] {
            assert!(matches!(step(with(Next::Fetch(vec![request]))), Err(StepError::Invalid { .. })));
        }
        let long = get(&"x".repeat(MAX_REQUEST + 1));
        assert!(matches!(step(with(Next::Fetch(vec![long]))), Err(StepError::TooMuch { .. })));
    }

    #[test]
    fn addresses_are_measured_in_bytes() {
        let fill = |with: &str, count: usize| format!("http://a.example/{}", with.repeat(count));
        let room = MAX_URL - fill("", 0).len();
        let fits = |url: String| address(&url, UTF_8).is_some();
        assert!(fits(fill("x", room)) && !fits(fill("x", room + 1)));
        // As it is sent, escaped.
        assert!(fits(fill("ü", room / 6)) && !fits(fill("ü", room / 6 + 1)));
    }

    #[test]
    fn addresses_have_one_form() {
        let written = "HTTP://BÜCHER.example:80/ö.jpg?ö".to_owned();
        let candidate = Candidate {
            url: written.clone(),
            alternates: ["http://pi\u{ad}cs.example/?狐", "mailto:a", "http://a.example/\n"]
                .map(str::to_owned)
                .into(),
            page_url: Some("http://a.example/ ö#ö".to_owned()),
            license: Some(License { id: "x".to_owned(), url: Some("/".to_owned()), attribution: None }),
            ..Candidate::default()
        };
        let next = Next::Fetch(vec![get(&written), get("http://a.example/?x")]);
        let taken = super::step(Step { candidates: vec![candidate], ..with(next) }, WINDOWS_1252).unwrap();
        let [candidate] = &taken.candidates[..] else { panic!("{} candidates", taken.candidates.len()) };
        assert_eq!(candidate.url, "http://xn--bcher-kva.example/%C3%B6.jpg?%F6");
        assert_eq!(candidate.alternates, ["http://pics.example/?%26%2329392%3B"]);
        assert_eq!(candidate.page_url.as_deref(), Some("http://a.example/%20%C3%B6#%C3%B6"));
        assert_eq!(candidate.license.as_ref().unwrap().url, None);
        let Next::Fetch(requests) = &taken.next else { panic!("{:?}", taken.next) };
        // The source gets back what it asked.
        assert_eq!(requests[0].url, written);
        assert_eq!(requests[0].address(), "http://xn--bcher-kva.example/%C3%B6.jpg?%F6");
        assert_eq!(requests[1], get("http://a.example/?x"));
    }

    #[test]
    fn a_candidate_is_cut_to_size() {
        let long = "x".repeat(MAX_URL + 1);
        let bounded = step(Step {
            candidates: vec![
                Candidate { url: long.clone(), ..Candidate::default() },
                Candidate {
                    url: "http://a.example/1.jpg".to_owned(),
                    alternates: vec![long.clone(), "http://a.example/2.jpg".to_owned()],
                    title: Some(format!("\u{1b}[1m{long}")),
                    page_url: Some(long.clone()),
                    license: Some(License { id: "cc0-1.0\0".to_owned(), url: Some(long), attribution: None }),
                    checksum: Some(Checksum { digest: Digest::Md5, hex: "no".to_owned() }),
                    ..Candidate::default()
                },
            ],
            warnings: vec!["w".repeat(MAX_WARNING + 1); MAX_WARNINGS + 3],
            ..with(Next::Done)
        })
        .unwrap();
        let [candidate] = &bounded.candidates[..] else { panic!("{} candidates", bounded.candidates.len()) };
        assert_eq!(candidate.alternates, ["http://a.example/2.jpg"]);
        assert_eq!(candidate.title.as_ref().unwrap().len(), MAX_LINE);
        assert_eq!((&candidate.page_url, &candidate.checksum), (&None, &None));
        let license = candidate.license.as_ref().unwrap();
        assert_eq!((license.id.as_str(), &license.url), ("cc0-1.0", &None));
        assert_eq!(bounded.warnings.len(), MAX_WARNINGS + 2);
        assert!(bounded.warnings.iter().all(|warning| warning.len() <= MAX_WARNING));
        assert_eq!(bounded.warnings[MAX_WARNINGS], "3 more warnings left out");
        assert!(bounded.warnings[MAX_WARNINGS + 1].starts_with("1 candidates left out"));
    }

    /// What a guest may write where text belongs.
    fn text() -> BoxedStrategy<String> {
        prop_oneof![
            4 => "\\PC{0,12}",
            2 => "[\0\x1b\n\u{202e}\u{feff}ü日a]{0,6}",
            2 => "https?://[a-z.]{1,8}(/[a-z\0 ]{0,6})?",
            1 => (0usize..=MAX_TEXT + 9).prop_map(|length| "日".repeat(length)),
            1 => (0usize..=MAX_REQUEST + 9).prop_map(|length| "x".repeat(length)),
        ]
        .boxed()
    }

    fn pairs() -> BoxedStrategy<Vec<(String, String)>> {
        prop_oneof![
            4 => prop::collection::vec((text(), text()), 0..3),
            1 => (0..MAX_LIST + 9).prop_map(|count| vec![("name".to_owned(), "value".to_owned()); count]),
        ]
        .boxed()
    }

    fn candidate() -> impl Strategy<Value = wit::Candidate> {
        let texts = prop::array::uniform8(prop::option::of(text()));
        let labels = prop::collection::vec((Just("label".to_owned()), text()), 0..MAX_LIST + 9);
        let extra = prop_oneof![pairs(), labels];
        let lists = (prop::collection::vec(text(), 0..4), 0..MAX_LIST + 9, pairs(), extra);
        let license = prop::option::of((text(), prop::option::of(text())));
        let numbers = (prop::option::of(any::<u64>()), prop::option::of(any::<[u32; 2]>()));
        (text(), texts, lists, license, numbers).prop_map(|(url, texts, lists, license, numbers)| {
            let [id, page_url, thumbnail_url, title, description, creator, creator_url, rest] = texts;
            let (some, count, headers, extra) = lists;
            let license = license.map(|(id, url)| wit::License { id, url: url.clone(), attribution: url });
            wit::Candidate {
                url,
                alternates: some
                    .iter()
                    .cycle()
                    .take(if some.is_empty() { 0 } else { count })
                    .cloned()
                    .collect(),
                id,
                page_url,
                thumbnail_url,
                title,
                description,
                creator,
                creator_url,
                license,
                published: rest.clone(),
                dimensions: numbers.1.map(|[width, height]| wit::Dimensions { width, height }),
                mime: rest.clone(),
                byte_size: numbers.0,
                checksum: rest.clone().map(|hex| wit::Checksum { digest: wit::Digest::Sha256, hex }),
                tags: some,
                headers,
                credential: rest,
                extra,
            }
        })
    }

    fn asked() -> impl Strategy<Value = wit::Request> {
        let body = prop::option::of(prop_oneof![
            text().prop_map(wit::ContentResult::Text),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(wit::ContentResult::Binary),
        ]);
        (text(), text(), pairs(), body, prop::option::of(text()), any::<bool>()).prop_map(
            |(key, url, headers, body, item, keep)| wit::Request {
                key,
                method: wit::Method::Post,
                url,
                headers,
                body,
                credential: item.clone(),
                item,
                keep,
                extra: Vec::new(),
            },
        )
    }

    fn any_step() -> impl Strategy<Value = wit::Step> {
        let next = prop_oneof![
            Just(wit::Next::Done),
            Just(wit::Next::Again),
            prop::collection::vec(asked(), 0..4).prop_map(wit::Next::Fetch),
            (asked(), 0..MAX_REQUESTS + 9)
                .prop_map(|(request, count)| wit::Next::Fetch(vec![request; count])),
        ];
        let candidates = prop::collection::vec(candidate(), 0..4);
        let warnings = (prop::collection::vec(text(), 0..4), 0..MAX_WARNINGS + 9);
        (candidates, next, text(), warnings).prop_map(|(candidates, next, state, (warnings, count))| {
            wit::Step {
                candidates,
                next,
                state,
                warnings: warnings
                    .iter()
                    .cycle()
                    .take(if warnings.is_empty() { 0 } else { count })
                    .cloned()
                    .collect(),
                extra: Vec::new(),
            }
        })
    }

    proptest! {
        #[test]
        fn whatever_a_guest_returns_is_within_bounds(given in any_step()) {
            let Ok(taken) = step(convert::step(given)) else { return Ok(()) };
            let is_url = |url: &String| url.is_ascii() && address(url, UTF_8).as_ref() == Some(url);
            prop_assert!(taken.state.len() <= MAX_STATE && !taken.state.contains('\0'));
            if let Next::Fetch(requests) = &taken.next {
                prop_assert!((1..=MAX_REQUESTS).contains(&requests.len()));
                for Request { key, url, headers, body, credential, item, .. } in requests {
                    let mut texts = vec![key, url];
                    texts.extend(headers.iter().flat_map(|(name, value)| [name, value]));
                    texts.extend(credential.iter().chain(item));
                    if let Some(Content::Text(text)) = body {
                        texts.push(text);
                    }
                    prop_assert!(!texts.iter().any(|text| text.contains('\0')), "{:?}", texts);
                    prop_assert!(texts.iter().map(|text| text.len()).sum::<usize>() <= MAX_REQUEST);
                }
            }
            prop_assert!(taken.warnings.len() <= MAX_WARNINGS + 2);
            for candidate in &taken.candidates {
                prop_assert!(is_url(&candidate.url) && candidate.alternates.iter().all(is_url));
                prop_assert!(candidate.alternates.len() <= MAX_LIST && candidate.tags.len() <= MAX_LIST);
                prop_assert!(candidate.headers.len() <= MAX_LIST && candidate.extra.len() <= MAX_LIST);
                prop_assert!(candidate.labels.len() <= MOST_LABELS);
                for label in &candidate.labels {
                    prop_assert_eq!(model::plain_text(label, LONGEST_LABEL), Ok(label.clone()));
                }
                let Candidate { id, title, creator, mime, published, description, .. } = candidate;
                for line in [id, title, creator, mime, published].into_iter().flatten() {
                    prop_assert!(line.chars().count() <= MAX_LINE && !line.contains('\0'));
                }
                prop_assert!(description.as_ref().is_none_or(|text| text.chars().count() <= MAX_TEXT));
                let links = [&candidate.page_url, &candidate.thumbnail_url, &candidate.creator_url];
                prop_assert!(links.into_iter().flatten().all(is_url));
            }
            // What is within bounds stays as it is, but for what is said about the rest.
            let again = step(Step { warnings: Vec::new(), ..taken.clone() }).unwrap();
            prop_assert_eq!(again, Step { warnings: Vec::new(), ..taken });
        }

        #[test]
        fn shown_text_is_short_and_harmless(text in ".*", max in 0_usize..50) {
            let shown = printable(&text, max);
            prop_assert!(shown.chars().count() <= max);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
