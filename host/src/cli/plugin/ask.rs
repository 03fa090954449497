//! What is asked of one source on the command line, and what it needs for that.

use std::{path::Path, sync::Mutex, time::Duration};

use clap::Args;
use indicatif::HumanBytes;

use super::{prepared, subject::Subject};
use crate::{
    app::{self, CredentialReader, StartError},
    cli::{broken_rules, stop, tell, wrong_usage},
    config::{Config, ConfiguredCredential},
    error::meant,
    fetch::{CookieJar, Fetcher},
    model::{Grants, Query, Request},
    plugins::{LoadedPlugin, Plugins, SandboxUse},
    runner::{
        self, Live, Logged, Paced, RequestOutcome, RunLimits, Schedule, SourceRun, Transport,
        cassette::Exchange,
    },
    services::{
        Violation,
        create::{QueryRequest, SourceOffer},
    },
};

/// As many as a job may ask for.
const MOST_CANDIDATES: u32 = 100_000;

/// One crawl of a source alone.
#[derive(Args, Debug)]
pub(super) struct Ask {
    /// Component, folder of a project, or id of an installed source
    source: String,
    /// Keywords or an address, whichever the source takes
    query: String,
    /// Value of an option of the source; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = named_option)]
    option: Vec<(String, String)>,
    /// Ask no more once there are this many candidates
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(super) max: usize,
    /// Most requests
    #[arg(long, default_value_t = 100, value_name = "N")]
    requests: usize,
    /// Leave out what is not safe for work
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    safe_search: bool,
    /// Language of the results, such as `de` or `pt-BR`
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
}

/// Reads `NAME=VALUE`.
fn named_option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A source that is ready to be asked.
pub(super) struct PreparedSource {
    pub(super) plugins: Plugins,
    pub(super) source: LoadedPlugin,
    pub(super) query: Query,
    pub(super) limits: RunLimits,
    fetcher: Fetcher,
    grants: Grants,
}

impl PreparedSource {
    /// The way to the network, at the source's pace; every request is told.
    pub(super) fn transport(&self) -> impl Transport {
        let live = Live::new(&self.fetcher, &self.grants);
        let logged = Logged::new(live, log_request);
        Paced::new(logged, live, self.source.info.interval(), Schedule::Own(Mutex::default()))
    }

    /// One crawl of the source.
    pub(super) async fn run(&self, transport: &impl Transport, limits: RunLimits) -> SourceRun {
        runner::run(&self.plugins, &self.source, &self.query, transport, limits).await
    }
}

impl Ask {
    /// Loads the source and checks the query against it. What is used `Offline` may be what
    /// is not granted.
    ///
    /// # Errors
    /// When there is no such source, it may not run, or the query breaks its rules.
    pub(super) async fn ready(&self, purpose: SandboxUse, config: &Config) -> anyhow::Result<PreparedSource> {
        let reader = CredentialReader::begin(&config.plugins).await.map_err(StartError::from)?;
        let credentials = reader.credentials();
        let (plugins, source) = self.load(purpose, config, &credentials).await?;
        if let Some(reason) = source.unavailable() {
            anyhow::bail!("{}: {reason}", source.info.id);
        }
        let grants = source.grants(&credentials);
        if purpose == SandboxUse::Live {
            if let Some(file) = source.file.as_ref().filter(|_| !source.bundled) {
                let hosts: Vec<_> = source.info.hosts.iter().map(|rule| rule.pattern.as_str()).collect();
                let hosts = hosts.join(", ");
                tell(&format!("{} is granted what it asks for, for this run: {hosts}", file.display()));
                let given: Vec<_> = grants.credentials.iter().map(|given| given.spec.name.as_str()).collect();
                if !given.is_empty() {
                    tell(&format!("with the credentials of {}: {}", source.info.id, given.join(", ")));
                }
            }
            missing_credential(&source, &grants)?;
        }
        let fetcher = Fetcher::new(&config.fetch)?.with_cookies(CookieJar::default());
        let query = self.query(&source, &grants, &fetcher)?;
        let limits = RunLimits { candidates: self.max, requests: self.requests, ..RunLimits::NONE };
        Ok(PreparedSource { plugins, source, query, limits, fetcher, grants })
    }

    async fn load(
        &self,
        purpose: SandboxUse,
        config: &Config,
        credentials: &[ConfiguredCredential],
    ) -> anyhow::Result<(Plugins, LoadedPlugin)> {
        let path = Path::new(&self.source);
        let is_path = self.source.contains(['/', '.']) || path.exists();
        if is_path {
            let subject = Subject::open(path, purpose, config).await?;
            return Ok((subject.plugins, subject.source));
        }
        let plugins = Plugins::load(&config.plugins, &config.data_dir()).await?;
        plugins.configure(app::credential_names(credentials)).await?;
        prepared(&plugins, &stop::on_signal()?).await;
        match plugins.get(&self.source) {
            Some(source) => Ok((plugins, source)),
            None => {
                let ids: Vec<String> = plugins.list().into_iter().map(|source| source.info.id).collect();
                let meant = meant(&self.source, ids.iter().map(String::as_str));
                Err(wrong_usage(format!(
                    "{} is neither a file nor an installed source{meant}; installed are: {}",
                    self.source,
                    ids.join(", ")
                )))
            }
        }
    }

    /// By the rules of a job: what a crawl would refuse is refused here.
    fn query(&self, source: &LoadedPlugin, grants: &Grants, fetcher: &Fetcher) -> anyhow::Result<Query> {
        let options = self.option.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        let request = QueryRequest {
            text: Some(self.query.clone()),
            options: options.collect(),
            safe_search: Some(self.safe_search),
            language: self.language.clone(),
            limit: Some(i64::try_from(self.max).unwrap_or(i64::MAX)),
            ..QueryRequest::default()
        };
        let credentials = grants.credentials.iter().map(|credential| credential.spec.name.clone()).collect();
        let offered = SourceOffer { info: source.info.clone(), credentials, unavailable: None };
        let parse = |text: &str| fetcher.check(text).map_err(|blocked| format!("cannot be asked: {blocked}"));
        request.check(&offered, MOST_CANDIDATES, &parse).map_err(|broken| broken_rules(&broken, argument))
    }
}

/// Tells of a request once it is answered, or is not.
fn log_request(number: usize, request: &Request, outcome: &RequestOutcome, took: Duration) {
    let (came, failure) = match outcome.response() {
        Ok(response) => {
            let size = HumanBytes(response.body.len() as u64).to_string();
            (format!("{}  {size:>10}", response.status), String::new())
        }
        Err(failure) => (format!("---  {:>10}", ""), format!("\n     {failure}")),
    };
    let (took, method) = (took.as_millis(), Exchange::method(request));
    tell(&format!("{:>3}  {came}  {took:>5} ms  {method} {}{failure}", number + 1, request.url));
}

/// The argument that a rule is about.
fn argument(rule: &Violation) -> String {
    let mut parts = rule.pointer.trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("options"), Some(name)) => format!("--option {name}"),
        (Some("limit"), _) => "--max".to_owned(),
        (Some("language"), _) => "--language".to_owned(),
        _ => "the query".to_owned(),
    }
}

/// No crawl is begun without what a source requires.
fn missing_credential(source: &LoadedPlugin, grants: &Grants) -> anyhow::Result<()> {
    match source.info.missing_credential(|name| grants.has(name)) {
        None => Ok(()),
        Some(spec) => Err(wrong_usage(format!(
            "the credential `{0}` is not configured; give it with `--credential {1}.{0}=SECRET`, \
             PIXCRAWLER_CREDENTIALS or PIXCRAWLER_CREDENTIALS_FILE, and to a file only with `--grant {1}`: {2}",
            spec.name, source.info.id, spec.help
        ))),
    }
}
