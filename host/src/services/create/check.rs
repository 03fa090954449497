//! The rules of a create request. Pure: every broken rule is found, not only the first.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};
use url::Url;

use crate::model::{
    ChunkSpec, DatasetId, Destination, Format, Input, JobSpec, Query, Rules, SourceInfo, normalise, shares,
};

mod alone;
mod field;
mod option;

pub use alone::check_alone;

use field::{Fields, Violations};

/// Most keywords of a job.
const MOST_KEYWORDS: usize = 50;
/// Longest keyword, in characters.
const LONGEST_KEYWORD: usize = 200;
/// Most addresses of a job.
const MOST_URLS: usize = 1_000;
/// Longest address, in characters, as written and as it is kept.
const LONGEST_URL: usize = 8_192;
/// Most sources of a job.
const MOST_SOURCES: usize = 100;
/// Most licences that a job accepts by name.
const MOST_LICENSES: usize = 100;
/// Images that a job may ask for.
const MAX_IMAGES: std::ops::RangeInclusive<i64> = 1..=100_000;
/// Images that a job asks for when it does not say.
const DEFAULT_IMAGES: i64 = 1_000;
/// Longest name of a job or class, in characters.
const LONGEST_NAME: usize = 100;
/// Most bytes that name, keywords, sources, options and rules of a job take in JSON, once it is
/// understood: whoever watches the job is sent all of them at every change.
const MOST_PUBLISHED: usize = 5_500;
/// What a job with keywords, or with addresses, is crawled from when it does not say.
const DEFAULT_SOURCES: [(Input, &str); 2] = [(Input::Keywords, "openverse"), (Input::Address, "webpage")];

const FIELDS: [&str; 12] = [
    "name",
    "keywords",
    "urls",
    "max_images",
    "sources",
    "options",
    "safe_search",
    "language",
    "labels",
    "rules",
    "dataset_id",
    "project_id",
];

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the place in the body.
    pub pointer: String,
    /// What must be the case there.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            Some(place) => write!(f, "{place} {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// An installed source, as far as creating a job goes.
#[derive(Clone, Debug)]
pub struct SourceOffer {
    /// What the source says of itself.
    pub info: SourceInfo,
    /// Names of its declared credentials that are configured.
    pub credentials: Vec<String>,
    /// Why no crawl of it can be begun now, if so.
    pub unavailable: Option<String>,
}

/// Checks the body of a create request. `parse_url` says why an address may not be asked.
///
/// A job that names no sources gets `openverse` for keywords and `webpage` for addresses,
/// or where these are not available the first source that is.
///
/// # Errors
/// Every broken rule; of very many the first hundred, and how many more.
pub fn check(
    body: &Value,
    offered: &[SourceOffer],
    parse_url: &dyn Fn(&str) -> Result<Url, String>,
) -> Result<JobSpec, Vec<Violation>> {
    let mut report = Violations::default();
    let Some(body) = body.as_object() else {
        report.broken("", "must be an object");
        return Err(report.into_inner());
    };
    let fields = Fields::new(body, "");
    fields.only(&FIELDS, &mut report);

    let name = fields.text("name", LONGEST_NAME, &mut report);
    if name.is_none() && fields.get("name").is_none() {
        report.broken("/name", "is required");
    }
    let (keywords, merged) = keywords(&fields, &mut report);
    let urls = urls(&fields, parse_url, &mut report);
    if fields.is_empty("keywords") && fields.is_empty("urls") {
        report.broken("/keywords", "at least one keyword or address is required");
    }
    let max_images = fields.integer("max_images", MAX_IMAGES, &mut report).unwrap_or(DEFAULT_IMAGES);
    let has = |input| match input {
        Input::Keywords => !fields.is_empty("keywords"),
        Input::Address => !fields.is_empty("urls"),
    };
    let sources = sources(&fields, offered, &has, &mut report);
    let options = option::options(&fields, &sources, &mut report);
    let safe_search = fields.boolean("safe_search", &mut report).unwrap_or(true);
    let language = language(&fields, &mut report);
    let labels = labels(&fields, &keywords, &urls, &mut report);
    let rules = rules(&fields, &mut report);
    let destination = destination(&fields, &mut report);

    let broken = report.into_inner();
    if !broken.is_empty() {
        return Err(broken);
    }
    let mut spec = JobSpec {
        name: name.unwrap_or_default(),
        destination,
        keywords,
        urls,
        sources: sources.iter().map(|source| source.info.id.clone()).collect(),
        options,
        max_images: i32::try_from(max_images).unwrap_or(i32::MAX),
        safe_search,
        language,
        labels,
        rules,
        chunks: Vec::new(),
    };
    small_enough(&spec)?;
    spec.chunks = chunks(&spec, &sources, &merged);
    Ok(spec)
}

/// Blames the part that is largest.
fn small_enough(spec: &JobSpec) -> Result<(), Vec<Violation>> {
    let parts = [
        ("/name", json!(spec.name)),
        ("/keywords", json!(spec.keywords)),
        ("/sources", json!(spec.sources)),
        ("/options", json!(spec.options)),
        ("/rules", json!(spec.rules)),
    ];
    let sizes = parts.map(|(pointer, value)| (pointer, value.to_string().len()));
    let all: usize = sizes.iter().map(|(_, size)| size).sum();
    match sizes.into_iter().max_by_key(|(_, size)| *size) {
        Some((pointer, size)) if all > MOST_PUBLISHED => {
            let detail = format!(
                "takes {size} bytes: name, keywords, sources, options and rules together must take at most \
                 {MOST_PUBLISHED}; make two jobs of one dataset"
            );
            Err(vec![Violation { pointer: pointer.to_owned(), detail }])
        }
        _ => Ok(()),
    }
}

/// The keywords, and what is said of those that are one with another, by that.
fn keywords(fields: &Fields<'_>, report: &mut Violations) -> (Vec<String>, BTreeMap<String, String>) {
    let mut keywords: Vec<String> = Vec::new();
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, keyword) in fields.texts("keywords", MOST_KEYWORDS, LONGEST_KEYWORD, report) {
        match keywords.iter().find(|before| before.to_lowercase() == keyword.to_lowercase()) {
            None => keywords.push(keyword),
            Some(before) if *before == keyword => {}
            Some(before) => others.entry(before.clone()).or_default().push(keyword),
        }
    }
    let said = |(keyword, others): (String, Vec<String>)| {
        let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
        let others = others.join(", ");
        let warning = format!(
            "the keyword `{keyword}` was given as {others} too: upper and lower case are one keyword, and one class"
        );
        (keyword, warning)
    };
    (keywords, others.into_iter().map(said).collect())
}

fn urls(
    fields: &Fields<'_>,
    parse_url: &dyn Fn(&str) -> Result<Url, String>,
    report: &mut Violations,
) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (index, text) in fields.texts("urls", MOST_URLS, LONGEST_URL, report) {
        let pointer = format!("/urls/{index}");
        match parse_url(&text).map(|url| normalise(&url)) {
            // What is not ASCII is longer once it is encoded.
            Ok(url) if url.len() > LONGEST_URL => {
                report
                    .broken(pointer, format!("must be at most {LONGEST_URL} characters once it is encoded"));
            }
            Ok(url) if seen.insert(url.clone()) => urls.push(url),
            Ok(_) => {}
            Err(reason) => report.broken(pointer, reason),
        }
    }
    urls
}

/// The sources that the job names, or the ones it gets when it names none.
fn sources<'a>(
    fields: &Fields<'_>,
    offered: &'a [SourceOffer],
    has: &dyn Fn(Input) -> bool,
    report: &mut Violations,
) -> Vec<&'a SourceOffer> {
    if fields.is_empty("sources") {
        return default_sources(offered, has, report);
    }
    let mut chosen: Vec<&SourceOffer> = Vec::new();
    for (index, id) in fields.texts("sources", MOST_SOURCES, LONGEST_NAME, report) {
        let pointer = format!("/sources/{index}");
        match offered.iter().find(|source| source.info.id == id) {
            None => {
                let installed: Vec<&str> = offered.iter().map(|source| source.info.id.as_str()).collect();
                report.broken(pointer, format!("is not installed; installed are: {}", installed.join(", ")));
            }
            Some(SourceOffer { unavailable: Some(reason), .. }) => {
                report.broken(pointer, format!("is not available: {reason}"));
            }
            Some(source) if !has(source.info.input) => {
                let (takes, given) = match source.info.input {
                    Input::Keywords => ("keywords", "no keywords are"),
                    Input::Address => ("addresses", "no urls are"),
                };
                report.broken(pointer, format!("takes {takes}, but {given} given"));
            }
            Some(source) if chosen.iter().all(|other| other.info.id != id) => chosen.push(source),
            Some(_) => {}
        }
    }
    // What is wrong with the sources themselves is said above; this is about sound ones.
    let named: Vec<&SourceOffer> = fields
        .strings("sources")
        .take(MOST_SOURCES)
        .filter_map(|id| offered.iter().find(|source| source.info.id == id.trim()))
        .collect();
    for (input, field) in [(Input::Keywords, "/keywords"), (Input::Address, "/urls")] {
        if has(input) && !named.is_empty() && named.iter().all(|source| source.info.input != input) {
            report.broken(field, "none of the sources takes these");
        }
    }
    chosen
}

fn default_sources<'a>(
    offered: &'a [SourceOffer],
    has: &dyn Fn(Input) -> bool,
    report: &mut Violations,
) -> Vec<&'a SourceOffer> {
    let mut chosen = Vec::new();
    for (input, preferred) in DEFAULT_SOURCES.into_iter().filter(|(input, _)| has(*input)) {
        let mut fitting =
            offered.iter().filter(|source| source.info.input == input && source.unavailable.is_none());
        match fitting.clone().find(|source| source.info.id == preferred).or_else(|| fitting.next()) {
            Some(source) => chosen.push(source),
            None if input == Input::Keywords => {
                report.broken("/sources", "no available source takes keywords")
            }
            None => report.broken("/sources", "no available source takes addresses"),
        }
    }
    chosen
}

fn labels(
    fields: &Fields<'_>,
    keywords: &[String],
    urls: &[String],
    report: &mut Violations,
) -> BTreeMap<String, String> {
    let mut of_input = BTreeMap::new();
    let Some(labels) = fields.object("labels", MOST_KEYWORDS + MOST_URLS, report) else { return of_input };
    for key in labels.keys() {
        let wanted = key.trim().to_lowercase();
        let address = Url::parse(key.trim()).map(|url| normalise(&url)).unwrap_or_default();
        let input = keywords
            .iter()
            .find(|keyword| keyword.to_lowercase() == wanted)
            .or_else(|| urls.iter().find(|url| **url == address));
        match (input, labels.text(key, LONGEST_NAME, report)) {
            (None, _) => {
                report.broken(labels.pointer(key), "is neither a keyword nor an address of this job")
            }
            (Some(input), Some(label)) => drop(of_input.insert(input.clone(), label)),
            (Some(_), None) => {}
        }
    }
    of_input
}

fn rules(fields: &Fields<'_>, report: &mut Violations) -> Rules {
    let Some(fields) = fields.object("rules", FIELDS.len(), report) else { return Rules::default() };
    fields.only(&["licenses", "min_width", "min_height", "formats"], report);
    let mut pixels =
        |name| fields.integer(name, 0..=100_000, report).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let (min_width, min_height) = (pixels("min_width"), pixels("min_height"));
    let licenses = fields.texts("licenses", MOST_LICENSES, LONGEST_NAME, report);
    let mut formats = Vec::new();
    for (index, name) in fields.texts("formats", Format::ALL.len(), 10, report) {
        match Format::ALL.into_iter().find(|format| format.name() == name) {
            Some(format) if formats.contains(&format) => {}
            Some(format) => formats.push(format),
            None => {
                let known = Format::ALL.map(Format::name).join(", ");
                report.broken(format!("/rules/formats/{index}"), format!("must be one of: {known}"));
            }
        }
    }
    let licenses = licenses.into_iter().map(|(_, license)| license.to_lowercase()).collect();
    Rules { licenses, min_width, min_height, formats }
}

fn destination(fields: &Fields<'_>, report: &mut Violations) -> Destination {
    let mut id =
        |name| fields.integer(name, 1..=i64::from(i32::MAX), report).and_then(|id| i32::try_from(id).ok());
    match (id("dataset_id"), id("project_id")) {
        (Some(_), Some(_)) => {
            report.broken("/project_id", "must not be given together with a dataset_id");
            Destination::New
        }
        (Some(dataset), None) => Destination::Dataset(DatasetId(dataset)),
        (None, Some(project)) => Destination::Project(project),
        (None, None) => Destination::New,
    }
}

fn language(fields: &Fields<'_>, report: &mut Violations) -> Option<String> {
    let tag = fields.text("language", 35, report)?;
    if is_language(&tag) {
        return Some(tag);
    }
    report.broken(fields.pointer("language"), "must be a BCP 47 tag such as `de` or `pt-BR`");
    None
}

/// The shape of a BCP 47 tag; whether it is registered is the source's business.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts
        .next()
        .is_some_and(|part| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphabetic()));
    primary
        && parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// One for each input and source that takes it: keywords first, sources in the job's order.
/// What is said of an input stands at its first.
fn chunks(spec: &JobSpec, sources: &[&SourceOffer], said: &BTreeMap<String, String>) -> Vec<ChunkSpec> {
    let inputs = spec.keywords.iter().map(|text| (Input::Keywords, text));
    let inputs: Vec<_> = inputs.chain(spec.urls.iter().map(|text| (Input::Address, text))).collect();
    let takers = |input: Input| sources.iter().filter(move |source| source.info.input == input);
    let counts: Vec<usize> = inputs.iter().map(|(input, _)| takers(*input).count()).collect();
    let shares = shares(spec.max_images, &counts);
    let mut chunks = Vec::new();
    for ((number, (input, text)), shares) in (0..).zip(inputs).zip(shares) {
        for ((rank, source), share) in (0..).zip(takers(input)).zip(shares) {
            let options = spec.options.get(&source.info.id).cloned().unwrap_or_default();
            chunks.push(ChunkSpec {
                source: source.info.id.clone(),
                label: spec.labels.get(text).unwrap_or(text).clone(),
                input: number,
                rank,
                query: Query {
                    text: text.clone(),
                    limit: spec.max_images.unsigned_abs(),
                    safe_search: spec.safe_search,
                    language: spec.language.clone(),
                    options: options.into_iter().collect(),
                    credentials: source.credentials.clone(),
                },
                share,
                warnings: said.get(text).filter(|_| rank == 0).cloned().into_iter().collect(),
            });
        }
    }
    chunks
}

type JsonObject = Map<String, Value>;

#[cfg(test)]
mod tests;
