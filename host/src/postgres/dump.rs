//! A database in a file, and from one, by the programs that come with Postgres: a file of an older major
//! version can be read by a newer one.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;

use super::{PostgresError, PrivatePostgres, account::Account, binaries};
use crate::private;

/// Characters of a program's last words.
const LONGEST_SAID: usize = 2000;
/// In the data folder, while a part of a file is read into a database.
const LIST: &str = "postgres-restore.list";

/// The programs, and the database on which they work.
pub struct PostgresTools<'a> {
    bin: PathBuf,
    /// Who runs them; none is this user, with the usual environment.
    account: Option<&'a Account>,
    /// Where they are run.
    folder: &'a Path,
    data_dir: &'a Path,
    /// As libpq takes it, without a password.
    address: String,
    password: Option<SecretString>,
}

impl PrivatePostgres {
    /// Says where to connect for another database of this server than the usual one.
    #[must_use]
    pub fn url_of(&self, database: &str) -> SecretString {
        self.server.cluster.url_of(database).into()
    }

    /// Finds the programs for the database of this server.
    ///
    /// # Errors
    /// When there are none of its version.
    pub async fn tools(&self) -> Result<PostgresTools<'_>, PostgresError> {
        let cluster = &self.server.cluster;
        let bin = binaries::find(self.server.pg_bin.as_deref(), cluster.version()?, &cluster.dir).await?;
        Ok(PostgresTools {
            bin,
            account: Some(&cluster.account),
            folder: &cluster.dir,
            data_dir: &cluster.data_dir,
            address: cluster.url(),
            password: None,
        })
    }
}

impl<'a> PostgresTools<'a> {
    /// Finds the programs for a database elsewhere, whose server has this major version.
    ///
    /// # Errors
    /// When there are none as new as that.
    pub async fn of(
        (address, password): (String, Option<SecretString>),
        major: u32,
        pg_bin: Option<&Path>,
        data_dir: &'a Path,
    ) -> Result<Self, PostgresError> {
        let bin = binaries::find_client(pg_bin, major).await?;
        Ok(Self { bin, account: None, folder: data_dir, data_dir, address, password })
    }

    /// Writes the database, or these schemas of it, as it was when a session exported this snapshot, which
    /// goes on.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn dump(&self, snapshot: &str, schemas: &[&str], to: File) -> Result<(), PostgresError> {
        let snapshot = format!("--snapshot={snapshot}");
        let schemas: Vec<String> = schemas.iter().map(|schema| format!("--schema={schema}")).collect();
        let mut arguments = vec!["--format=custom", &*snapshot];
        arguments.extend(schemas.iter().map(String::as_str));
        self.run("pg_dump", &arguments, true, Stdio::null(), to.into()).await.map(drop)
    }

    /// Lists what is in a file that [`PostgresTools::dump`] wrote, a line each, as
    /// [`PostgresTools::load_listed`] takes it.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn list(&self, from: File) -> Result<String, PostgresError> {
        self.run("pg_restore", &["--list"], false, from.into(), Stdio::piped()).await
    }

    /// Reads all of a file into the database, which is empty but whose server has the roles: all of it or
    /// nothing.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn load(&self, from: File) -> Result<(), PostgresError> {
        let arguments = ["--exit-on-error", "--single-transaction"];
        self.run("pg_restore", &arguments, true, from.into(), Stdio::null()).await.map(drop)
    }

    /// The same with what is listed, which will be this role's, whoever's it was.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn load_listed(&self, from: File, list: &str) -> Result<(), PostgresError> {
        let path = self.data_dir.join(LIST);
        let written = private::file().write(true).create(true).truncate(true).open(&path);
        written
            .and_then(|mut file| file.write_all(list.as_bytes()))
            .map_err(PostgresError::io("write", &path))?;
        self.account.map_or(Ok(()), |account| account.own(&path))?;
        let listed = format!("--use-list={}", path.display());
        let arguments = ["--exit-on-error", "--single-transaction", "--no-owner", &listed];
        let loaded = self.run("pg_restore", &arguments, true, from.into(), Stdio::null()).await;
        fs::remove_file(&path).map_err(PostgresError::io("remove", &path))?;
        loaded.map(drop)
    }

    /// Gives what it prints, where that is piped.
    async fn run(
        &self,
        program: &'static str,
        arguments: &[&str],
        connects: bool,
        input: Stdio,
        output: Stdio,
    ) -> Result<String, PostgresError> {
        let path = self.bin.join(program);
        if !path.is_file() {
            return Err(PostgresError::NoProgram(path));
        }
        let mut command = match self.account {
            Some(account) => account.command(&path, self.folder),
            None => Command::new(&path),
        };
        command.env("LC_ALL", "C").args(arguments);
        if connects {
            command.arg("--dbname").arg(&self.address);
            if let Some(password) = &self.password {
                // Everybody on the machine sees arguments.
                command.env("PGPASSWORD", password.expose_secret());
            }
        }
        command.stdin(input).stdout(output).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(PostgresError::io("run", &path))?;
        let done = child.wait_with_output().await.map_err(PostgresError::io("run", &path))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.trim();
        let begin = said.ceil_char_boundary(said.len().saturating_sub(LONGEST_SAID));
        Err(PostgresError::Program { program, said: said[begin..].to_owned() })
    }
}
