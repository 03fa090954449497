//! The secrets of sources: read from the settings, a file and a command, and read again while the host
//! runs; and what tells them from others without telling them.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    fs::{self, File},
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    sync::{Mutex, watch},
};

use crate::{
    auth::link::fresh_secret,
    config::{self, ConfiguredCredential, CredentialError, parse_lines},
    db::{self, PgPool, sources::BuildRef},
    error::chain,
    model::Grants,
    plugins::LoadedPlugin,
};

/// Name of the key in `pixcrawler.secret` that tells credentials apart.
const KEY_NAME: &str = "credential-marks";
/// Most bytes of a file of credentials, and of what a command prints.
const MOST_BYTES: u64 = 64 << 10;
/// Longest time for the command.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// What is called the origin of the lines that the command prints.
const COMMAND: &str = "what PIXCRAWLER_CREDENTIALS_COMMAND prints";
/// Looks at the folder of plugins between two runs of the command: ten minutes by default.
const COMMAND_EVERY: u32 = 120;
/// The same while a credential of the command may be one that was refused: a minute by default.
const COMMAND_EVERY_WHEN_REFUSED: u32 = 12;

/// The credentials that are configured at one moment, with what tells those of each source from
/// others without telling them: 16 bits of a hash, keyed with what all processes of a system share.
#[derive(Clone, Debug)]
pub struct CredentialSet {
    configured: Vec<ConfiguredCredential>,
    key: hmac::Key,
    marks: BTreeMap<String, i32>,
}

impl CredentialSet {
    /// Takes these credentials, with the key that the database has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(db: &PgPool, configured: Vec<ConfiguredCredential>) -> Result<Self, db::Error> {
        let secret = db::secrets::get_or_insert(db, KEY_NAME, &fresh_secret()).await?;
        Ok(Self::with_key(hmac::Key::new(hmac::HMAC_SHA256, &secret), configured))
    }

    fn with_key(key: hmac::Key, configured: Vec<ConfiguredCredential>) -> Self {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for given in &configured {
            let text = format!("{}={}", given.name, given.secret.expose_secret());
            texts.entry(given.source.clone()).or_default().push(text);
        }
        let marks = texts.into_iter().map(|(source, mut texts)| {
            // The order in which they are configured says nothing.
            texts.sort();
            (source, mark(&key, &texts.join("\n")))
        });
        Self { marks: marks.collect(), key, configured }
    }

    /// Lists the names of those that are configured, by source.
    #[must_use]
    pub fn names(&self) -> BTreeMap<String, BTreeSet<String>> {
        credential_names(&self.configured)
    }

    /// Gives what tells the credentials of this source from others.
    #[must_use]
    pub fn mark(&self, source: &str) -> i32 {
        self.marks.get(source).copied().unwrap_or_else(|| self.mark_of_none())
    }

    /// Gives what tells that a source has none.
    #[must_use]
    pub fn mark_of_none(&self) -> i32 {
        mark(&self.key, "")
    }

    /// Refers to the build as a process with these credentials has it.
    #[must_use]
    pub fn build<'a>(&self, source: &'a LoadedPlugin) -> BuildRef<'a> {
        let id = source.info.id.as_str();
        let credential_mark = self.mark(id);
        BuildRef { id, digest: source.digest, enabled_at: source.enabled_at, credential_mark }
    }

    /// Gives what the source may reach, with its secrets.
    #[must_use]
    pub fn grants(&self, source: &LoadedPlugin) -> Grants {
        source.grants(&self.configured)
    }
}

/// Keeps so few bits that nobody who reads them can guess the text.
fn mark(key: &hmac::Key, text: &str) -> i32 {
    match hmac::sign(key, text.as_bytes()).as_ref() {
        [first, second, ..] => i32::from(u16::from_be_bytes([*first, *second])),
        _ => 0,
    }
}

/// Lists the names of credentials, by source.
#[must_use]
pub fn credential_names(configured: &[ConfiguredCredential]) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for given in configured {
        names.entry(given.source.clone()).or_default().insert(given.name.clone());
    }
    names
}

/// Where credentials come from and what came last: what is given in the settings, before what stands in
/// the file, before what the command prints.
#[derive(Debug)]
pub struct CredentialReader {
    given: Vec<ConfiguredCredential>,
    file: Option<Origin<PathBuf>>,
    command: Option<Origin<SecretString>>,
}

/// A file or a command, and what it said when it last was sound.
#[derive(Debug)]
struct Origin<T> {
    place: T,
    credentials: Vec<ConfiguredCredential>,
    /// What is wrong with it, which was logged.
    problem: Option<CredentialError>,
    /// What the file looked like when it was read; nothing of the command.
    stamp: Option<Stamp>,
    /// When it was read.
    at: Instant,
}

/// What tells that a file has changed, by hands or rights: identity, times of content and rights, size.
type Stamp = (u64, u64, i64, i64, i64, i64, u64);

impl CredentialReader {
    /// Reads all for the first time.
    ///
    /// # Errors
    /// When one cannot be read; shows nothing of a secret.
    pub async fn begin(settings: &config::Plugins) -> Result<Self, CredentialError> {
        let mut reader = Self { given: settings.given_credentials()?, file: None, command: None };
        if let Some(path) = &settings.credentials_file {
            let mut file = Origin::new(path.clone());
            file.stamp = stamp(path).await;
            file.credentials = read_file(path).await?;
            reader.file = Some(file);
        }
        if let Some(command) = &settings.credentials_command {
            let mut origin = Origin::new(command.clone());
            origin.credentials = read_command(command).await?;
            reader.command = Some(origin);
        }
        Ok(reader)
    }

    /// Gives what was read, each source's name once.
    #[must_use]
    pub fn credentials(&self) -> Vec<ConfiguredCredential> {
        let file = self.file.iter().flat_map(|file| &file.credentials);
        let command = self.command.iter().flat_map(|command| &command.credentials);
        let mut seen = BTreeSet::new();
        let all = self.given.iter().chain(file).chain(command);
        all.filter(|given| seen.insert((given.source.clone(), given.name.clone()))).cloned().collect()
    }

    /// Reads again what may have changed: the file when it looks different, the command when it is due, which
    /// is sooner while a credential is `refused`. What cannot be read stays as it was, and is logged once.
    async fn follow(&mut self, poll: Duration, refused: bool) {
        if let Some(file) = &mut self.file {
            let now = stamp(&file.place).await;
            // Of what is no file, such as a pipe, there is nothing more to read.
            let is_gone = now.is_none() && file.stamp.is_some();
            if is_gone || (now.is_some() && now != file.stamp) {
                file.stamp = now;
                let read = read_file(&file.place).await;
                file.take(read);
            }
        }
        if let Some(command) = &mut self.command {
            let every = if refused { COMMAND_EVERY_WHEN_REFUSED } else { COMMAND_EVERY };
            if command.at.elapsed() >= poll * every {
                let read = read_command(&command.place).await;
                command.take(read);
            }
        }
    }
}

impl<T> Origin<T> {
    fn new(place: T) -> Self {
        Self { place, credentials: Vec::new(), problem: None, stamp: None, at: Instant::now() }
    }

    /// Takes what was read, or keeps what was there and logs why.
    fn take(&mut self, read: Result<Vec<ConfiguredCredential>, CredentialError>) {
        self.at = Instant::now();
        match read {
            Ok(credentials) => (self.credentials, self.problem) = (credentials, None),
            Err(problem) => {
                if self.problem.as_ref() != Some(&problem) {
                    let error = chain(&problem);
                    tracing::error!(
                        event = "credentials-unreadable",
                        error,
                        "the credentials cannot be read again; those from before stay"
                    );
                }
                self.problem = Some(problem);
            }
        }
    }
}

/// The credentials of a host that runs: those of now, and how they are read again.
#[derive(Debug)]
pub struct LiveCredentials {
    now: watch::Sender<Arc<CredentialSet>>,
    reader: Mutex<CredentialReader>,
}

impl LiveCredentials {
    /// Begins with what was read at the start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(db: &PgPool, reader: CredentialReader) -> Result<Self, db::Error> {
        let set = CredentialSet::new(db, reader.credentials()).await?;
        Ok(Self { now: watch::Sender::new(Arc::new(set)), reader: Mutex::new(reader) })
    }

    /// Gives those of now. Who works with some to an end holds them, so that what is said of them is
    /// not said of others.
    #[must_use]
    pub fn now(&self) -> Arc<CredentialSet> {
        Arc::clone(&self.now.borrow())
    }

    /// Gives what tells of every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<CredentialSet>> {
        self.now.subscribe()
    }

    /// Tells whether they are read from where they may change.
    pub async fn may_change(&self) -> bool {
        let reader = self.reader.lock().await;
        reader.file.is_some() || reader.command.is_some()
    }

    /// Reads again what may have changed, at each look at the folder of plugins, one every `poll`; a command
    /// is run sooner while some that are in use are `refused`. Gives the new ones where they are others.
    pub async fn follow(&self, poll: Duration, refused: bool) -> Option<Arc<CredentialSet>> {
        let mut reader = self.reader.lock().await;
        reader.follow(poll, refused).await;
        let before = self.now();
        let next = CredentialSet::with_key(before.key.clone(), reader.credentials());
        if next.names() == before.names() && next.is_same_secrets(&before) {
            return None;
        }
        let next = Arc::new(next);
        self.now.send_replace(Arc::clone(&next));
        Some(next)
    }
}

impl CredentialSet {
    /// Compares the secrets themselves: two that differ may have one mark.
    fn is_same_secrets(&self, other: &Self) -> bool {
        self.configured.len() == other.configured.len()
            && self.configured.iter().zip(&other.configured).all(|(one, other)| {
                (&one.source, &one.name) == (&other.source, &other.name)
                    && one.secret.expose_secret() == other.secret.expose_secret()
            })
    }
}

/// What a file looks like; nothing where there is none.
async fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).await.ok().filter(std::fs::Metadata::is_file)?;
    let (content, rights) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
    Some((about.dev(), about.ino(), content.0, content.1, rights.0, rights.1, about.len()))
}

/// Reads the file, which must be closed to others where it is this user's, as ssh wants its keys: another's,
/// such as a mounted secret, is as its owner made it.
async fn read_file(path: &Path) -> Result<Vec<ConfiguredCredential>, CredentialError> {
    let shown = path.display();
    let unreadable = |why: String| CredentialError::Unreadable(format!("{shown} {why}"));
    let failed = |error: std::io::Error| unreadable(format!("cannot be read: {error}"));
    let file = File::open(path).await.map_err(failed)?;
    let about = file.metadata().await.map_err(failed)?;
    if about.uid() == geteuid().as_raw() && about.mode() & 0o077 != 0 {
        return Err(unreadable(format!(
            "is open to other users of the system (mode {:04o}), so it is not read: `chmod 600 {shown}`, or \
             mode 0400 where it is mounted as a secret",
            about.mode() & 0o7777
        )));
    }
    let text = text_of(file, "holds").await.map_err(unreadable)?;
    parse_lines(&text, &shown.to_string())
}

/// Runs the command and reads what it prints. What is wrong with it is told without that.
async fn read_command(command: &SecretString) -> Result<Vec<ConfiguredCredential>, CredentialError> {
    let printed = run(command.expose_secret(), COMMAND_DEADLINE).await;
    let printed = printed.map_err(|why| {
        let why = format!("the command of PIXCRAWLER_CREDENTIALS_COMMAND {why}; run it to see what it says");
        CredentialError::Unreadable(why)
    })?;
    parse_lines(&printed, COMMAND)
}

/// Runs a command of the shell that nobody can be asked by, and gives what it prints.
async fn run(command: &str, deadline: Duration) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // It may say what it should print.
        .stderr(Stdio::null())
        // So that what it started ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let printed = child.stdout.take();
    let done = tokio::time::timeout(deadline, async {
        let printed = match printed {
            Some(printed) => text_of(printed, "printed").await?,
            None => String::new(),
        };
        let status = child.wait().await.map_err(|error| format!("cannot be waited for: {error}"))?;
        if status.success() { Ok(printed) } else { Err(format!("ended with {status}")) }
    });
    let done = done.await.unwrap_or_else(|_| Err(format!("did not end within {} s", deadline.as_secs())));
    // None where it has ended by itself.
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    done
}

/// Reads all of it, which has what it `does` say.
async fn text_of(from: impl AsyncRead + Unpin, does: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = from.take(MOST_BYTES + 1).read_to_end(&mut bytes).await;
    match read {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(_) if bytes.len() as u64 > MOST_BYTES => Err(format!("{does} more than {MOST_BYTES} bytes")),
        Ok(_) => String::from_utf8(bytes).map_err(|_| format!("{does} what is not text (UTF-8)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_command_prints() {
        let patient = Duration::from_secs(20);
        assert_eq!(run("printf 'a.b=%s' \"$(echo one)\"", patient).await.unwrap(), "a.b=one");
        for (command, expect) in [
            ("echo a.b=canary; echo canary >&2; exit 3", "ended with exit status: 3"),
            ("yes canary", "printed more than 65536 bytes"),
            ("printf '\\377'", "printed what is not text"),
        ] {
            let why = run(command, patient).await.unwrap_err();
            assert!(why.contains(expect) && !why.contains("canary"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let held = folder.path().join("held");
        assert!(std::process::Command::new("mkfifo").arg(&held).status().unwrap().success());
        // Read to its end, which is when nobody holds it any more.
        let reader = std::thread::spawn({
            let held = held.clone();
            move || std::fs::read(held).unwrap()
        });
        let command = format!("sleep 1000 > {} & wait", held.display());
        let why = run(&command, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(why, "did not end within 1 s");
        assert_eq!(reader.join().unwrap(), b"");
    }
}
