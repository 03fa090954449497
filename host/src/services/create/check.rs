//! The rules of requests. Pure: every broken rule is found, not only the first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use url::Url;

use super::request::{
    JobRequest, MOST_KEYWORDS, MOST_LICENSES, MOST_SOURCES, MOST_UNLIKE, MOST_URLS, QueryRequest,
    RetryRequest,
};
use crate::{
    db::job_lifecycle::RetryOptions,
    error::meant,
    model::{
        ChunkSpec, DatasetId, Destination, Input, JobSpec, KNOWN_LICENSES, LONGEST_LABEL, Pdq, ProjectId,
        Query, Rules, SourceInfo, license_ids, normalise, shares,
    },
    services::{
        search_engines,
        violation::{Violation, Violations, list_of_at_most, pointer},
    },
};

/// Longest keyword, in characters.
pub(in crate::services) const LONGEST_KEYWORD: usize = 200;
/// Longest address, in characters, as written and as it is kept.
pub(in crate::services) const LONGEST_URL: usize = 8_192;
/// Longest name of a job, source or licence, in characters.
pub(in crate::services) const LONGEST_NAME: usize = 100;
/// Longest language tag, in characters.
const LONGEST_LANGUAGE: usize = 35;
/// Images that a job may ask for.
pub(in crate::services) const MAX_IMAGES: std::ops::RangeInclusive<i64> = 1..=100_000;
/// Images that a job asks for when it does not say.
const DEFAULT_IMAGES: i32 = 1_000;
/// Pixels that a job may ask for on a side.
const MIN_SIDE: std::ops::RangeInclusive<i64> = 0..=Rules::LONGEST_SIDE as i64;
/// Pixels that a job may allow on a side.
const MAX_SIDE: std::ops::RangeInclusive<i64> = 1..=Rules::LONGEST_SIDE as i64;
/// Bytes that a job may ask for, or allow, of a file.
const MOST_BYTES: i64 = 1_000_000_000;
/// What a score may be.
const SCORES: std::ops::RangeInclusive<i64> = 0..=100;
/// Ids of rows.
pub(in crate::services) const IDS: std::ops::RangeInclusive<i64> = 1..=i32::MAX as i64;
/// Candidates that one source alone is asked for when nothing is said.
const DEFAULT_LIMIT: u32 = 20;
/// Most bytes that name, keywords, sources, options and rules of a job take in JSON, once it is
/// understood: whoever watches the job is sent all of them at every change.
pub(in crate::services) const MOST_PUBLISHED: usize = 5_500;
/// Choices of an option that are named where it is one of a list.
const MOST_CHOICES: usize = 6;
/// What is accepted as a licence.
const ACCEPTED_LICENSES: &str = "accepted are cc0, pdm, `public domain`, cc-by, cc-by-sa, cc-by-nc, cc-by-nd, cc-by-nc-sa \
    and cc-by-nc-nd, of any version or of one (cc-by-4.0), mit, gfdl and others by their SPDX ids (apache-2.0), \
    all-rights-reserved and unknown";
/// What a job with keywords, or with addresses, is crawled from when it does not say.
const fn default_source(input: Input) -> &'static str {
    match input {
        Input::Keywords => "openverse",
        Input::Address => "webpage",
    }
}

/// Reads an address, or says why it may not be asked, in words that follow its name.
pub type ParseUrl<'a> = &'a dyn Fn(&str) -> Result<Url, String>;

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

impl JobRequest {
    /// Checks what is asked for against the sources that are `offered`.
    ///
    /// A job that names no sources gets `openverse` for keywords and `webpage` for addresses,
    /// or where these are not available the first source that is.
    ///
    /// # Errors
    /// Every broken rule; of very many the first hundred, and how many more.
    pub fn check(&self, offered: &[SourceOffer], parse_url: ParseUrl<'_>) -> Result<JobSpec, Vec<Violation>> {
        if let Some(engine) = &self.search_engine {
            return self.at_search_engine(engine, offered).check(offered, parse_url);
        }
        let mut report = self.misread.clone();
        let name = report.required("/name", self.name.as_deref(), LONGEST_NAME);
        let (keywords, warnings) = self.keywords(&mut report);
        let urls = self.urls(parse_url, &mut report);
        if self.keywords.is_empty() && self.urls.is_empty() {
            report.broken("/keywords", "at least one is required, or an address in `urls`");
        }
        let max_images = report.number("/max_images", self.max_images, MAX_IMAGES);
        let sources = self.sources(offered, &mut report);
        let options = self.options(&sources, &mut report);
        let language = language(self.language.as_deref(), &mut report);
        let labels = self.labels(&keywords, &urls, &mut report);
        let rules = self.rules(&mut report);
        let unlike = self.unlike(&mut report);
        let destination = self.destination(&mut report);
        report.into_result()?;

        let mut spec = JobSpec {
            name: name.unwrap_or_default(),
            destination,
            keywords,
            urls,
            sources: sources.iter().map(|source| source.info.id.clone()).collect(),
            options,
            max_images: max_images.unwrap_or(DEFAULT_IMAGES),
            max_is_default: self.max_images.is_none(),
            safe_search: self.safe_search.unwrap_or(true),
            language,
            labels,
            rules,
            unlike,
            chunks: Vec::new(),
        };
        small_enough(&spec)?;
        spec.chunks = chunks(&spec, &sources, &warnings);
        Ok(spec)
    }

    /// The same request with the source for a search engine, named as the original does it.
    fn at_search_engine(&self, engine: &str, offered: &[SourceOffer]) -> Self {
        let mut request = Self { search_engine: None, ..self.clone() };
        let known = search_engines::check_one("/search_engine", engine, offered, &mut request.misread);
        if self.sources.is_empty() {
            request.sources = search_engines::choose(known.as_slice(), offered).sources;
        } else {
            let must = "must not be given with `sources`, which say the same";
            request.misread.broken("/search_engine", must);
        }
        request
    }

    /// Whether anything is given that such sources take, sound or not.
    fn has(&self, input: Input) -> bool {
        match input {
            Input::Keywords => !self.keywords.is_empty(),
            Input::Address => !self.urls.is_empty(),
        }
    }

    /// The keywords, and by keyword the warning that others are one with it.
    pub(in crate::services) fn keywords(
        &self,
        report: &mut Violations,
    ) -> (Vec<String>, BTreeMap<String, String>) {
        let mut keywords: Vec<String> = Vec::new();
        let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, keyword) in report.texts("/keywords", &self.keywords, MOST_KEYWORDS, LONGEST_KEYWORD) {
            match keywords.iter().find(|before| before.to_lowercase() == keyword.to_lowercase()) {
                None => keywords.push(keyword),
                Some(before) if *before == keyword => {}
                Some(before) => others.entry(before.clone()).or_default().push(format!("`{keyword}`")),
            }
        }
        let warning = |(keyword, others): (String, Vec<String>)| {
            let others = others.join(", ");
            let warning = format!(
                "the keyword `{keyword}` was given as {others} too: upper and lower case are one keyword, and one class"
            );
            (keyword, warning)
        };
        (keywords, others.into_iter().map(warning).collect())
    }

    fn urls(&self, parse_url: ParseUrl<'_>, report: &mut Violations) -> Vec<String> {
        let mut urls: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, text) in report.texts("/urls", &self.urls, MOST_URLS, LONGEST_URL) {
            let pointer = format!("/urls/{index}");
            match parse_url(&text).map(|url| normalise(&url)) {
                // What is not ASCII is longer once it is encoded.
                Ok(url) if url.len() > LONGEST_URL => {
                    report.broken(
                        pointer,
                        format!("must be at most {LONGEST_URL} characters once it is encoded"),
                    );
                }
                Ok(url) if seen.insert(url.clone()) => urls.push(url),
                Ok(_) => {}
                Err(reason) => report.broken(pointer, reason),
            }
        }
        urls
    }

    /// The sources that the job names, or the ones it gets when it names none.
    fn sources<'a>(&self, offered: &'a [SourceOffer], report: &mut Violations) -> Vec<&'a SourceOffer> {
        if self.sources.is_empty() {
            return self.default_sources(offered, report);
        }
        let mut chosen: Vec<&SourceOffer> = Vec::new();
        for (index, id) in report.texts("/sources", &self.sources, MOST_SOURCES, LONGEST_NAME) {
            let pointer = format!("/sources/{index}");
            match offered.iter().find(|source| source.info.id == id) {
                None => {
                    let installed: Vec<&str> = offered.iter().map(|source| source.info.id.as_str()).collect();
                    let meant = meant(&id, installed.iter().copied());
                    let detail = format!("is not installed{meant}; installed are: {}", installed.join(", "));
                    report.broken(pointer, detail);
                }
                Some(SourceOffer { unavailable: Some(reason), .. }) => {
                    report.broken(pointer, format!("is not available: {reason}"));
                }
                // What is missing is what there is to say something about.
                Some(source) if !self.has(source.info.input) => {
                    let (field, takes) = field(source.info.input);
                    report.broken(field, format!("must be given: the source `{id}` takes {takes}"));
                }
                Some(source) if chosen.iter().all(|other| other.info.id != id) => chosen.push(source),
                Some(_) => {}
            }
        }
        // What is wrong with the sources themselves is said above; this is about sound ones.
        let named: Vec<&SourceOffer> = self
            .sources
            .iter()
            .take(MOST_SOURCES)
            .filter_map(|id| offered.iter().find(|source| source.info.id == id.trim()))
            .collect();
        for input in [Input::Keywords, Input::Address] {
            if self.has(input) && !named.is_empty() && named.iter().all(|source| source.info.input != input) {
                let (field, these) = field(input);
                report.broken(field, format!("cannot be used: none of the sources takes {these}"));
            }
        }
        chosen
    }

    fn default_sources<'a>(
        &self,
        offered: &'a [SourceOffer],
        report: &mut Violations,
    ) -> Vec<&'a SourceOffer> {
        let mut chosen = Vec::new();
        for input in [Input::Keywords, Input::Address].into_iter().filter(|input| self.has(*input)) {
            match SourceOffer::default_of(offered, input) {
                Some(source) => chosen.push(source),
                None if input == Input::Keywords => {
                    report.broken("/sources", "no available source takes keywords")
                }
                None => report.broken("/sources", "no available source takes addresses"),
            }
        }
        chosen
    }

    /// Values per source, defaults filled in.
    fn options(
        &self,
        sources: &[&SourceOffer],
        report: &mut Violations,
    ) -> BTreeMap<String, BTreeMap<String, String>> {
        for id in self.options.keys().filter(|id| sources.iter().all(|source| source.info.id != **id)) {
            let meant = meant(id, sources.iter().map(|source| source.info.id.as_str()));
            report.broken(pointer("/options", id), format!("is not a source of this job{meant}"));
        }
        let none = BTreeMap::new();
        let values = sources.iter().map(|source| {
            let id = &source.info.id;
            let given = self.options.get(id).unwrap_or(&none);
            (id.clone(), source.options(given, &pointer("/options", id), report))
        });
        values.filter(|(_, values)| !values.is_empty()).collect()
    }

    fn labels(
        &self,
        keywords: &[String],
        urls: &[String],
        report: &mut Violations,
    ) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for (key, label) in &self.labels {
            let pointer = pointer("/labels", key);
            let wanted = key.trim().to_lowercase();
            let address = Url::parse(key.trim()).map(|url| normalise(&url)).unwrap_or_default();
            let input = keywords
                .iter()
                .find(|keyword| keyword.to_lowercase() == wanted)
                .or_else(|| urls.iter().find(|url| **url == address));
            let label = report.text(&pointer, label, LONGEST_LABEL);
            match (input, label) {
                // What is wrong with an input that was given is said of that.
                (None, _)
                    if self.keywords.iter().chain(&self.urls).any(|given| given.trim() == key.trim()) => {}
                (None, _) => report.broken(pointer, "is neither a keyword nor an address of this job"),
                (Some(input), Some(label)) => match labels.get(input) {
                    Some(other) if *other != label => {
                        report.broken(
                            pointer,
                            format!("is the same input as one whose class is `{other}`; give it one class"),
                        );
                    }
                    _ => drop(labels.insert(input.clone(), label)),
                },
                (Some(_), None) => {}
            }
        }
        labels
    }

    /// What the rules are with what the level says.
    fn rules(&self, report: &mut Violations) -> Rules {
        let Rules { licenses, min_width, min_height, formats, near_duplicates, .. } = &self.rules;
        let mut accepted: Vec<String> = Vec::new();
        for (index, license) in report.texts("/rules/licenses", licenses, MOST_LICENSES, LONGEST_NAME) {
            match license_ids(&license) {
                Some(ids) => ids.into_iter().for_each(|id| {
                    if !accepted.contains(&id) {
                        accepted.push(id);
                    }
                }),
                None => {
                    let meant = meant(&license, KNOWN_LICENSES);
                    let detail = format!("is not a licence that is known{meant}; {ACCEPTED_LICENSES}");
                    report.broken(format!("/rules/licenses/{index}"), detail);
                }
            }
        }
        let mut seen = BTreeSet::new();
        let mut number = |name: &str, number: Option<u64>, range| {
            let number = number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
            report.number::<i64>(&format!("/rules/{name}"), number, range);
        };
        let rules = &self.rules;
        number("max_width", rules.max_width.map(u64::from), MAX_SIDE);
        number("max_height", rules.max_height.map(u64::from), MAX_SIDE);
        number("min_bytes", rules.min_bytes, 0..=MOST_BYTES);
        number("max_bytes", rules.max_bytes, 1..=MOST_BYTES);
        number("min_contrast", rules.min_contrast.map(u64::from), SCORES);
        number("min_brightness", rules.min_brightness.map(u64::from), SCORES);
        number("max_brightness", rules.max_brightness.map(u64::from), SCORES);
        number("min_sharpness", rules.min_sharpness.map(u64::from), SCORES);
        number("min_jpeg_quality", rules.min_jpeg_quality.map(u64::from), SCORES);
        let mut side = |pointer, side: u32| report.number(pointer, Some(side.into()), MIN_SIDE);
        let rules = Rules {
            licenses: accepted,
            min_width: side("/rules/min_width", *min_width).unwrap_or_default(),
            min_height: side("/rules/min_height", *min_height).unwrap_or_default(),
            formats: formats.iter().copied().filter(|format| seen.insert(*format)).collect(),
            near_duplicates: report
                .number("/rules/near_duplicates", Some((*near_duplicates).into()), 0..=Pdq::ALIKE.into())
                .unwrap_or_default(),
            ..rules.clone()
        }
        .resolved();
        let least_side = |side: u32| Some(u64::from(side));
        for (names, least, most) in [
            (["min_width", "max_width"], least_side(rules.min_width), rules.max_width.map(u64::from)),
            (["min_height", "max_height"], least_side(rules.min_height), rules.max_height.map(u64::from)),
            (["min_bytes", "max_bytes"], rules.min_bytes, rules.max_bytes),
            (
                ["min_brightness", "max_brightness"],
                rules.min_brightness.map(u64::from),
                rules.max_brightness.map(u64::from),
            ),
        ] {
            if least > most && most.is_some() {
                let detail =
                    format!("must be at least `{}`, which is {}", names[0], least.unwrap_or_default());
                report.broken(format!("/rules/{}", names[1]), detail);
            }
        }
        rules
    }

    fn unlike(&self, report: &mut Violations) -> Vec<Pdq> {
        if self.unlike.len() > MOST_UNLIKE {
            report.broken("/unlike", list_of_at_most(MOST_UNLIKE));
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let mut read = |(index, text): (usize, &String)| match Pdq::parse(text.trim()) {
            Some(hash) => seen.insert(hash).then_some(hash),
            None => {
                report.broken(format!("/unlike/{index}"), "must be a PDQ hash: 64 hexadecimal digits");
                None
            }
        };
        self.unlike.iter().enumerate().filter_map(&mut read).collect()
    }

    fn destination(&self, report: &mut Violations) -> Destination {
        let dataset = report.number("/dataset_id", self.dataset_id, IDS);
        let project = report.number("/project_id", self.project_id, IDS);
        match (dataset, project) {
            (Some(_), Some(_)) => {
                report.broken("/project_id", "must not be given together with a dataset_id");
                Destination::New
            }
            (Some(dataset), None) => Destination::Dataset(DatasetId(dataset)),
            (None, Some(project)) => Destination::Project(ProjectId(project)),
            (None, None) => Destination::New,
        }
    }
}

/// Checks rules by themselves, for what is there already: what they are with what the level says.
///
/// # Errors
/// Every broken rule.
pub fn check_rules(rules: &Rules) -> Result<Rules, Vec<Violation>> {
    let mut report = Violations::default();
    let rules = JobRequest { rules: rules.clone(), ..JobRequest::default() }.rules(&mut report);
    report.into_result()?;
    Ok(rules)
}

impl RetryRequest {
    /// Checks what a retry is asked for.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<RetryOptions, Vec<Violation>> {
        let mut report = self.misread.clone();
        let max_images = report.number("/max_images", self.max_images, MAX_IMAGES);
        report.into_result()?;
        Ok(RetryOptions { max_images, update: self.update.unwrap_or_default() })
    }
}

impl QueryRequest {
    /// Checks what the source that is `offered` is asked, for at most `most` candidates.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(
        &self,
        offered: &SourceOffer,
        most: u32,
        parse_url: ParseUrl<'_>,
    ) -> Result<Query, Vec<Violation>> {
        let mut report = self.misread.clone();
        let text = match offered.info.input {
            Input::Keywords => report.required("/text", self.text.as_deref(), LONGEST_KEYWORD),
            Input::Address => {
                let text = report.required("/text", self.text.as_deref(), LONGEST_URL);
                let address = text.map(|text| parse_url(&text).map(|url| normalise(&url)));
                address.and_then(|address| address.map_err(|reason| report.broken("/text", reason)).ok())
            }
        };
        let options = offered.options(&self.options, "/options", &mut report);
        let language = language(self.language.as_deref(), &mut report);
        let limit = report.number("/limit", self.limit, 1..=i64::from(most));
        report.into_result()?;
        Ok(Query {
            text: text.unwrap_or_default(),
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            safe_search: self.safe_search.unwrap_or(true),
            language,
            options: options.into_iter().collect(),
            credentials: offered.credentials.clone(),
        })
    }
}

impl SourceOffer {
    /// What such inputs are crawled from when nobody says: the usual one, or where that cannot be crawled
    /// now the first that can.
    pub(in crate::services) fn default_of(offered: &[Self], input: Input) -> Option<&Self> {
        let mut fitting =
            offered.iter().filter(|source| source.info.input == input && source.unavailable.is_none());
        let usual = default_source(input);
        fitting.clone().find(|source| source.info.id == usual).or_else(|| fitting.next())
    }

    /// Values of the options that the source declares, defaults filled in; those that are `given`
    /// stand at `base`.
    fn options(
        &self,
        given: &BTreeMap<String, Value>,
        base: &str,
        report: &mut Violations,
    ) -> BTreeMap<String, String> {
        let declared = &self.info.options;
        for name in given.keys().filter(|name| declared.iter().all(|spec| spec.name != **name)) {
            report.broken(pointer(base, name), self.no_option(name));
        }
        let mut values = BTreeMap::new();
        for spec in declared {
            match spec.value(given.get(&spec.name)) {
                Ok(Some(value)) => drop(values.insert(spec.name.clone(), value)),
                Ok(None) => {}
                Err(must) => report.broken(pointer(base, &spec.name), must),
            }
        }
        values
    }

    /// That the source has no option of this name, and which it has.
    fn no_option(&self, name: &str) -> String {
        let SourceInfo { id, options, .. } = &self.info;
        if options.is_empty() {
            return format!("is not an option: `{id}` has none");
        }
        let meant = meant(name, options.iter().map(|spec| spec.name.as_str()));
        let options = options.iter().map(|spec| format!("`{}` ({})", spec.name, spec.form(MOST_CHOICES)));
        format!("is not an option{meant}; those of `{id}` are: {}", options.collect::<Vec<_>>().join(", "))
    }
}

/// The field of such inputs, and what they are.
const fn field(input: Input) -> (&'static str, &'static str) {
    match input {
        Input::Keywords => ("/keywords", "keywords"),
        Input::Address => ("/urls", "addresses"),
    }
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

fn language(tag: Option<&str>, report: &mut Violations) -> Option<String> {
    let tag = report.text("/language", tag?, LONGEST_LANGUAGE)?;
    if is_language(&tag) {
        return Some(tag);
    }
    report.broken("/language", "must be a BCP 47 tag such as `de` or `pt-BR`");
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
/// The warning of an input stands at its first.
fn chunks(spec: &JobSpec, sources: &[&SourceOffer], warnings: &BTreeMap<String, String>) -> Vec<ChunkSpec> {
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
                warnings: warnings.get(text).filter(|_| rank == 0).cloned().into_iter().collect(),
            });
        }
    }
    chunks
}

#[cfg(test)]
mod tests;
