//! Every setting, its default and its meaning. The only reader of the environment:
//! each field is a flag and a variable of one command line, and is handed down.

mod credential;
mod origin;
mod tier_limit;
mod user_agent;

use std::{collections::BTreeMap, net::IpAddr, net::SocketAddr, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use credential::{ConfiguredCredential, CredentialError, parse_lines};
pub use origin::OriginMapping;
pub use tier_limit::{LimitKind, TierLimit};
pub use user_agent::UserAgentError;

/// Settings of every subcommand that runs a part of the host. Where they come from, and that help
/// does not show their values, is said where the command line is put together.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "the parts are documented on their types")]
pub struct Config {
    /// Folder for everything that is kept: database, objects, keys, compiled plugins
    /// [default: /var/lib/pixcrawler as root, else `$XDG_DATA_HOME/pixcrawler` or ~/.local/share/pixcrawler]
    #[arg(long, env = "PIXCRAWLER_DATA_DIR", value_name = "DIR", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub objects: Objects,
    #[command(flatten)]
    pub supabase: Supabase,
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub fetch: Fetch,
    #[command(flatten)]
    pub plugins: Plugins,
    #[command(flatten)]
    pub crawl: Crawl,
    #[command(flatten)]
    pub log: Log,
}

/// Where the rows and the queue are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// Postgres 15 or newer, session endpoint (not port 6543); also in the spelling
    /// `postgresql+asyncpg://`. Unset: a private Postgres is started in the data folder
    #[arg(long, env = "DATABASE_URL", value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// File with the CA certificate (PEM) of the database's server, where no public CA knows it. Servers
    /// elsewhere are verified unless the address says otherwise, as with `?sslmode=require`
    #[arg(long, env = "DATABASE_CA", value_name = "FILE")]
    pub database_ca: Option<PathBuf>,
    /// Most sessions of this process on `DATABASE_URL`, those that listen included
    #[arg(long, env = "PIXCRAWLER_DATABASE_SESSIONS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(4..=200), value_name = "N")]
    pub database_sessions: u32,
    /// Folder with `postgres` and `initdb` for the private Postgres
    /// [default: found by `pg_config`, in /usr/lib/postgresql, on PATH]
    #[arg(long, env = "PIXCRAWLER_PG_BIN", value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
    /// How often it is looked whether the tables are still protected
    #[arg(long, env = "PIXCRAWLER_GUARD_EVERY", default_value = "10m", value_parser = duration, value_name = "TIME", hide = true)]
    pub guard_every: Duration,
    /// How often users are shown what they had
    #[arg(long, env = "PIXCRAWLER_USAGE_EVERY", default_value = "1m", value_parser = duration, value_name = "TIME", hide = true)]
    pub usage_every: Duration,
    /// How often objects that no row names are looked for
    #[arg(long, env = "PIXCRAWLER_SWEEP_EVERY", default_value = "6h", value_parser = duration, value_name = "TIME", hide = true)]
    pub sweep_every: Duration,
}

/// Where the objects are, which are the bytes of pictures.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Objects")]
pub struct Objects {
    /// Bucket for the objects: of Supabase Storage, Amazon S3, or whatever speaks its protocol. Unset: they are in
    /// the folder `objects` of the data folder
    #[arg(long, env = "PIXCRAWLER_S3_BUCKET", value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// Address of the server, which may have a path, such as `https://REF.storage.supabase.co/storage/v1/s3`
    /// [default: Amazon's for the region]
    #[arg(long, env = "PIXCRAWLER_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<Url>,
    /// Region of the bucket; of Supabase Storage that of the project [default: us-east-1]
    #[arg(long, env = "PIXCRAWLER_S3_REGION", value_name = "NAME")]
    pub s3_region: Option<String>,
    /// Id of the key that may list, read, write and delete in the bucket
    #[arg(long, env = "PIXCRAWLER_S3_ACCESS_KEY_ID", value_name = "ID")]
    pub s3_access_key_id: Option<String>,
    /// Secret of that key
    #[arg(long, env = "PIXCRAWLER_S3_SECRET_ACCESS_KEY", value_name = "SECRET")]
    pub s3_secret_access_key: Option<SecretString>,
    /// What every key in the bucket begins with, for a bucket that has other things, too
    #[arg(long, env = "PIXCRAWLER_S3_PREFIX", value_name = "PATH")]
    pub s3_prefix: Option<String>,
    /// Put the bucket's name before the server's, instead of into the path
    #[arg(long, env = "PIXCRAWLER_S3_VIRTUAL_HOSTED", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value_t = false, value_name = "BOOL")]
    pub s3_virtual_hosted: bool,
    /// File with the CA certificate (PEM) of the server, where no public CA knows it
    #[arg(long, env = "PIXCRAWLER_S3_CA", value_name = "FILE")]
    pub s3_ca: Option<PathBuf>,
    /// Allow http to another machine: pictures can be read and changed on the way
    #[arg(long, env = "PIXCRAWLER_S3_ALLOW_HTTP", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value_t = false, value_name = "BOOL")]
    pub s3_allow_http: bool,
    /// Answer who asks for the file of an image with a redirect to the bucket, by an address that is signed for
    /// 15 minutes, instead of passing the bytes on
    #[arg(long, env = "PIXCRAWLER_S3_REDIRECT", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value_t = false, value_name = "BOOL")]
    pub s3_redirect: bool,
}

impl Objects {
    /// A variable that means nothing without a bucket, and is set.
    #[must_use]
    pub fn without_bucket(&self) -> Option<&'static str> {
        [
            ("PIXCRAWLER_S3_ENDPOINT", self.s3_endpoint.is_some()),
            ("PIXCRAWLER_S3_REGION", self.s3_region.is_some()),
            ("PIXCRAWLER_S3_ACCESS_KEY_ID", self.s3_access_key_id.is_some()),
            ("PIXCRAWLER_S3_SECRET_ACCESS_KEY", self.s3_secret_access_key.is_some()),
            ("PIXCRAWLER_S3_PREFIX", self.s3_prefix.is_some()),
            ("PIXCRAWLER_S3_VIRTUAL_HOSTED", self.s3_virtual_hosted),
            ("PIXCRAWLER_S3_CA", self.s3_ca.is_some()),
            ("PIXCRAWLER_S3_ALLOW_HTTP", self.s3_allow_http),
            ("PIXCRAWLER_S3_REDIRECT", self.s3_redirect),
        ]
        .into_iter()
        .find_map(|(name, is_set)| (is_set && self.s3_bucket.is_none()).then_some(name))
    }
}

/// Who issues the tokens.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Supabase")]
pub struct Supabase {
    /// Project address; tokens are verified against its JWKS. Unset: the host issues its own tokens
    #[arg(long, env = "SUPABASE_URL", value_name = "URL")]
    pub supabase_url: Option<Url>,
    /// `iss` of its tokens, where that is not `/auth/v1` at the address, as with a domain of its own
    #[arg(long, env = "SUPABASE_JWT_ISSUER", value_name = "TEXT")]
    pub supabase_jwt_issuer: Option<String>,
    /// Legacy HS256 secret (at least 32 bytes); when set, only HS256 tokens are accepted
    #[arg(long, env = "SUPABASE_JWT_SECRET", value_name = "SECRET")]
    pub supabase_jwt_secret: Option<SecretString>,
    /// Accept tokens of the legacy secret until this instant only, such as 2030-01-31T12:00:00Z, and those of
    /// the project's published keys beside them: for going over to signing keys without an outage
    #[arg(long, env = "SUPABASE_JWT_SECRET_UNTIL", value_name = "INSTANT")]
    pub supabase_jwt_secret_until: Option<DateTime<Utc>>,
    /// Let users who signed in anonymously begin jobs
    #[arg(long, env = "PIXCRAWLER_ANONYMOUS_JOBS", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value_t = false, value_name = "BOOL")]
    pub anonymous_jobs: bool,
    /// Accepted for compatibility; nothing here needs it
    #[arg(long, env = "SUPABASE_SERVICE_ROLE_KEY", value_name = "KEY", hide = true)]
    pub supabase_service_role_key: Option<SecretString>,
    /// Accepted for compatibility; nothing here needs it
    #[arg(long, env = "SUPABASE_ANON_KEY", value_name = "KEY", hide = true)]
    pub supabase_anon_key: Option<SecretString>,
}

/// The API's own door.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// Address to listen on [default: 127.0.0.1 with the local issuer, else 0.0.0.0]
    #[arg(long, env = "HOST", value_name = "IP")]
    pub host: Option<IpAddr>,
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// Origins that browsers may call from, separated by commas
    #[arg(
        long,
        env = "ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://localhost:3000",
        value_name = "ORIGIN"
    )]
    pub allowed_origins: Vec<String>,
    /// Connections at a time, of one address at most a quarter; for a further one the one that waits
    /// longest for its client is closed
    #[arg(long, env = "PIXCRAWLER_MAX_CONNECTIONS", default_value_t = 512, value_name = "N")]
    pub max_connections: usize,
    /// Ranges of proxies before the API, for example 127.0.0.1/32; may be repeated. They may have more than a
    /// quarter of the connections, and what they ask counts for the last address in `X-Forwarded-For` that
    /// is not in these ranges
    #[arg(long, env = "PIXCRAWLER_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR")]
    pub trusted_proxies: Vec<IpNet>,
    /// Longest time without an answer on a connection: to wait for a request, to receive one, or to
    /// get rid of what was asked for. Longer than the heartbeat of events, which is 15s
    #[arg(long, env = "PIXCRAWLER_CONNECTION_TIMEOUT", default_value = "60s", value_parser = duration, value_name = "TIME", hide = true)]
    pub connection_timeout: Duration,
}

/// Requests to the outside.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Outbound requests")]
pub struct Fetch {
    /// Contact put into the User-Agent, an address or a page; sites ask for one
    #[arg(long, env = "PIXCRAWLER_CONTACT", value_name = "TEXT")]
    pub contact: Option<String>,
    /// User-Agent for a source's own requests, in place of ours with the contact, and the name under
    /// which it heeds robots.txt: `SOURCE=TEXT`; may be repeated, in the variable with commas between
    #[arg(long, env = "PIXCRAWLER_USER_AGENTS", value_name = "SOURCE=TEXT")]
    pub user_agent: Vec<String>,
    /// Private range that may be reached, for example 10.1.0.0/16; may be repeated
    #[arg(long, env = "PIXCRAWLER_ALLOW_PRIVATE", value_delimiter = ',', value_name = "CIDR")]
    pub allow_private: Vec<IpNet>,
    /// Serve one origin from another, for mirrors and air-gapped use:
    /// `https://api.example.org=http://127.0.0.1:8080`, `*` as the left side for every origin; may be repeated.
    /// Guard, robots.txt and pace see the public name
    #[arg(long, env = "PIXCRAWLER_MAP_ORIGIN", value_delimiter = ',', value_name = "FROM=TO")]
    pub map_origin: Vec<OriginMapping>,
    /// Name server to ask instead of the system's
    #[arg(long, env = "PIXCRAWLER_NAME_SERVER", value_name = "IP:PORT")]
    pub name_server: Option<SocketAddr>,
    /// Most bytes of one image
    #[arg(long, env = "PIXCRAWLER_MAX_IMAGE_BYTES", default_value_t = 64 << 20, value_name = "BYTES")]
    pub max_image_bytes: u64,
    /// Most pixels of one image, up to 200000000. Beyond the default, memory and time for decoding grow
    /// in proportion
    #[arg(
        long,
        env = "PIXCRAWLER_MAX_IMAGE_PIXELS",
        default_value_t = Fetch::USUAL_PIXELS,
        value_parser = clap::value_parser!(u64).range(1..=200_000_000),
        value_name = "PIXELS"
    )]
    pub max_image_pixels: u64,
    /// Longest time for one request, redirects and body included
    #[arg(long, env = "PIXCRAWLER_REQUEST_TIMEOUT", default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub request_timeout: Duration,
    /// Connections to one image host at a time
    #[arg(long, env = "PIXCRAWLER_PER_HOST", default_value_t = 8, value_name = "N")]
    pub per_host: usize,
    /// Requests to one image host a second, on average
    #[arg(long, env = "PIXCRAWLER_PER_HOST_RATE", default_value_t = 20, value_name = "N")]
    pub per_host_rate: u32,
}

impl Fetch {
    /// Cameras and telephones make 61 million.
    pub const USUAL_PIXELS: u64 = 64_000_000;
}

/// Which sources there are and what they may do.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Plugins")]
pub struct Plugins {
    /// Folder whose `.wasm` files add to the bundled sources or override them by id; what
    /// `plugin install` installs goes there [default: `plugins` in the data folder]
    #[arg(long, env = "PIXCRAWLER_PLUGINS", value_name = "DIR")]
    pub plugins_dir: Option<PathBuf>,
    /// Id of a source that is off until granted by name, and is granted the hosts it declares; may be repeated
    #[arg(long, env = "PIXCRAWLER_GRANT", value_delimiter = ',', value_name = "ID")]
    pub grant: Vec<String>,
    /// Secret of a source's credential, `SOURCE.NAME=SECRET`; may be repeated, in the variable
    /// with commas between
    // Not parsed by clap, whose message for what cannot be parsed repeats it.
    #[arg(long, env = "PIXCRAWLER_CREDENTIALS", value_name = "SOURCE.NAME=SECRET")]
    pub credential: Vec<SecretString>,
    /// File of such secrets, one a line, `#` before a note; for nobody but its owner. What changes in it
    /// is taken up by a host that runs
    #[arg(long, env = "PIXCRAWLER_CREDENTIALS_FILE", value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,
    /// Command that prints such lines, as of a password manager; run by `sh`, for 30 s at most, at the start,
    /// every ten minutes, and within a minute after a secret was refused
    // A secret, because one may be written into it.
    #[arg(long, env = "PIXCRAWLER_CREDENTIALS_COMMAND", value_name = "COMMAND")]
    pub credentials_command: Option<SecretString>,
    /// Folder for compiled plugins, for one user of the system alone; may be shared by data
    /// folders [default: `cache` in the data folder]
    #[arg(long, env = "PIXCRAWLER_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Longest wall time of one plugin call (five times this for components over 5 MB)
    #[arg(long, env = "PIXCRAWLER_PLUGIN_DEADLINE", default_value = "2s", value_parser = duration, value_name = "TIME")]
    pub plugin_deadline: Duration,
    /// Most memory of one plugin instance, in MiB
    #[arg(long, env = "PIXCRAWLER_PLUGIN_MEMORY", default_value_t = 64, value_name = "MIB")]
    pub plugin_memory: usize,
    /// Longest time that a plugin may take to be compiled
    #[arg(long, env = "PIXCRAWLER_PLUGIN_COMPILE_DEADLINE", default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub plugin_compile_deadline: Duration,
    /// The program of which children are started, to compile plugins and to decode images, where
    /// that is not the one that runs
    #[arg(long, env = "PIXCRAWLER_PROGRAM", value_name = "FILE", hide = true)]
    pub program: Option<PathBuf>,
    /// How often a host that runs looks for changes in the folder of plugins
    #[arg(long, env = "PIXCRAWLER_PLUGINS_POLL", default_value = "5s", value_parser = duration, value_name = "TIME", hide = true)]
    pub plugins_poll: Duration,
}

/// How the crawl is worked on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Crawl")]
pub struct Crawl {
    /// Chunks worked on at a time by this process; 0 makes it an API only
    #[arg(long, env = "PIXCRAWLER_SLOTS", default_value_t = 8, value_name = "N")]
    pub slots: usize,
    /// Downloads under way at a time for one chunk
    #[arg(long, env = "PIXCRAWLER_DOWNLOADS", default_value_t = 16, value_name = "N")]
    pub downloads: usize,
    /// Memory for decoding in all, in MiB. An image that needs more than three quarters of it is refused
    #[arg(long, env = "PIXCRAWLER_DECODE_MEMORY", default_value_t = 288, value_parser = clap::value_parser!(u32).range(32..), value_name = "MIB")]
    pub decode_memory: u32,
    /// Longest processor time for decoding one image; most have less, by their pixels and bytes
    #[arg(long, env = "PIXCRAWLER_DECODE_DEADLINE", default_value = "2s", value_parser = duration, value_name = "TIME")]
    pub decode_deadline: Duration,
    /// Longest slice of a chunk before others get their turn
    #[arg(long, env = "PIXCRAWLER_SLICE", default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub slice: Duration,
    /// Jobs of one user that are pending or running at a time; further ones are refused
    /// [default: any number]
    #[arg(long, env = "PIXCRAWLER_OPEN_JOBS", value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub open_jobs: Option<i64>,
    /// What users of a tier may have at most, `TIER.LIMIT=N` with `images_per_job`, `images_per_day` or
    /// `jobs_per_minute`; may be repeated, in the variable with commas between. The tier is the `plan_id` of the
    /// active subscription, else `free` [default: any number]
    #[arg(long, env = "PIXCRAWLER_LIMITS", value_delimiter = ',', value_name = "TIER.LIMIT=N")]
    pub limits: Vec<TierLimit>,
    /// Credits for each image that is kept, up to 10000; what a job may cost must be there when it is begun
    #[arg(long, env = "PIXCRAWLER_CREDITS_PER_IMAGE", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=10_000), value_name = "N")]
    pub credits_per_image: i32,
    /// Chunks of one user worked on at a time, by all workers together [default: any number]
    #[arg(long, env = "PIXCRAWLER_USER_SLOTS", value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub user_slots: Option<i64>,
    /// A part of a job of which all that is left must wait for longer ends, and says what is left;
    /// a retry of the job goes on with it [default: 1h; 2m in `crawl`]
    #[arg(long, env = "PIXCRAWLER_LONGEST_WAIT", value_parser = duration, value_name = "TIME")]
    pub longest_wait: Option<Duration>,
    /// Longer waits are not slept: the chunk is queued for that time
    #[arg(long, env = "PIXCRAWLER_LONGEST_SLEEP", default_value = "30s", value_parser = duration, value_name = "TIME", hide = true)]
    pub longest_sleep: Duration,
    /// Most steps that a source may make for one input of a job; then that part fails
    #[arg(long, env = "PIXCRAWLER_SOURCE_STEPS", default_value_t = 10_000, value_name = "N")]
    pub source_steps: i32,
    /// Most requests of its own that a source may make for one input of a job
    #[arg(long, env = "PIXCRAWLER_SOURCE_REQUESTS", default_value_t = 50_000, value_name = "N")]
    pub source_requests: i32,
    /// Most bytes of answers to these
    #[arg(long, env = "PIXCRAWLER_SOURCE_BYTES", default_value_t = 4 << 30, value_name = "BYTES")]
    pub source_bytes: i64,
    /// How often a worker says that it lives; dead after three times this
    #[arg(long, env = "PIXCRAWLER_HEARTBEAT", default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub heartbeat: Duration,
    /// Ends the process as if killed at the nth passing of a named point; for tests of recovery
    #[cfg(debug_assertions)]
    #[arg(long, env = "PIXCRAWLER_KILL_AT", value_name = "POINT:N", hide = true)]
    pub kill_at: Option<String>,
}

/// What is written to standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct Log {
    /// What to log: a level, or a filter such as `info,pixcrawler::crawl=debug`
    /// [default: info for serve and worker, else warn; debug with DEBUG=true]
    #[arg(long, env = "PIXCRAWLER_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// `text` or `json`
    #[arg(long, env = "PIXCRAWLER_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Name of the environment, shown by the health route
    #[arg(long, env = "ENVIRONMENT", default_value = "development", value_name = "NAME")]
    pub environment: String,
    /// Log at level debug
    #[arg(long, env = "DEBUG", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub debug: bool,
    /// Accepted for compatibility; there is no Redis
    #[arg(long, env = "REDIS_URL", hide = true)]
    pub redis_url: Option<SecretString>,
    /// Accepted for compatibility; there is no Celery
    #[arg(long, env = "CELERY_BROKER_URL", hide = true)]
    pub celery_broker_url: Option<SecretString>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Crawl {
    /// What users of this tier may have at most; of several the last counts.
    #[must_use]
    pub fn limit(&self, tier: &str, kind: LimitKind) -> Option<i64> {
        let limit = self.limits.iter().rfind(|limit| limit.tier == tier && limit.kind == kind)?;
        Some(limit.most)
    }

    /// Limits nothing, and costs nothing: for who runs it for themselves.
    pub fn lift_limits(&mut self) {
        self.limits.clear();
        self.credits_per_image = 0;
    }

    /// Longest time that a part of a job does nothing but wait.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.longest_wait.unwrap_or(Duration::from_hours(1))
    }
}

impl Plugins {
    /// The secrets of sources that are given by the flag or its variable.
    ///
    /// # Errors
    /// When one is not of the form `SOURCE.NAME=SECRET`; does not repeat it.
    pub fn given_credentials(&self) -> Result<Vec<ConfiguredCredential>, CredentialError> {
        credential::parse(&self.credential)
    }
}

impl Fetch {
    /// The User-Agents that are configured, by source.
    ///
    /// # Errors
    /// When one is not of the form `SOURCE=TEXT`, or a source has two.
    pub fn user_agents(&self) -> Result<BTreeMap<String, String>, UserAgentError> {
        user_agent::parse(&self.user_agent)
    }
}

impl Config {
    /// Whether a project is named without its database.
    #[must_use]
    pub const fn lacks_database(&self) -> bool {
        self.supabase.supabase_url.is_some() && self.database.database_url.is_none()
    }

    /// The data folder, absolute where the environment allows it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
    pub fn data_dir(&self) -> PathBuf {
        if let Some(dir) = &self.data_dir {
            return std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
        }
        if rustix::process::geteuid().is_root() {
            return PathBuf::from("/var/lib/pixcrawler");
        }
        let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
        home("XDG_DATA_HOME")
            .or_else(|| home("HOME").map(|home| home.join(".local/share")))
            .unwrap_or_else(std::env::temp_dir)
            .join("pixcrawler")
    }

    /// The address to listen on. The local issuer hands out tokens to anyone on the
    /// machine, so without Supabase only this machine is served unless told otherwise.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        let host = self.http.host.unwrap_or(match self.supabase.supabase_url {
            None => IpAddr::from([127, 0, 0, 1]),
            Some(_) => IpAddr::from([0, 0, 0, 0]),
        });
        SocketAddr::new(host, self.http.port)
    }

    /// Variables of the original system that have no meaning here, for one notice.
    #[must_use]
    pub fn ignored(&self) -> Vec<&'static str> {
        let Log { redis_url, celery_broker_url, .. } = &self.log;
        let given = [("CELERY_BROKER_URL", celery_broker_url), ("REDIS_URL", redis_url)];
        given.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect()
    }
}

/// This process's command line as a shell takes it, with secrets left out.
#[must_use]
pub fn command_line() -> String {
    quoted(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()))
}

/// Settings whose values are not repeated.
const SECRET: [&str; 7] = [
    "--database-url",
    "--s3-secret-access-key",
    "--supabase-jwt-secret",
    "--supabase-service-role-key",
    "--supabase-anon-key",
    "--credential",
    "--credentials-command",
];

fn quoted(arguments: impl Iterator<Item = String>) -> String {
    let mut secret_follows = false;
    let words = arguments.map(|argument| {
        let (name, value) = argument.split_once('=').unzip();
        let is_secret = SECRET.contains(&name.unwrap_or(&argument));
        let shown = match (secret_follows, is_secret, name) {
            (true, ..) => "...".to_owned(),
            (false, true, Some(name)) => format!("{name}=..."),
            _ => argument.clone(),
        };
        secret_follows = !secret_follows && is_secret && value.is_none();
        shlex::try_quote(&shown).map_or_else(|_| shown.clone(), std::borrow::Cow::into_owned)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Reads `90s`, `5m`, `2h`, `1500ms`, or seconds without a unit.
///
/// # Errors
/// Says what a time looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is not a time such as 90s, 5m or 1500ms"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(format!("`{unit}` is not a unit of time; use ms, s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_repeated_without_its_secrets() {
        let check = |arguments: &[&str], expect: &str| {
            assert_eq!(quoted(arguments.iter().map(|&argument| argument.to_owned())), expect);
        };
        check(&["pixcrawler", "crawl", "red panda", "--max=5"], "pixcrawler crawl 'red panda' '--max=5'");
        check(
            &["pixcrawler", "--credential", "a.b=canary", "--database-url=canary", "crawl", "it's"],
            "pixcrawler --credential ... '--database-url=...' crawl \"it's\"",
        );
    }
}
