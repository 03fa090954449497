//! The private Postgres in a file, and from one, by the programs that come with Postgres: a file of an
//! older major version can be read by a newer one.

use std::{fs::File, process::Stdio};

use secrecy::SecretString;

use super::{PostgresError, PrivatePostgres, binaries};

/// Characters of a program's last words.
const LONGEST_SAID: usize = 2000;

impl PrivatePostgres {
    /// Says where to connect for another database of this server than the usual one.
    #[must_use]
    pub fn url_of(&self, database: &str) -> SecretString {
        self.server.cluster.url_of(database).into()
    }

    /// Writes all of the database, as it was when a session exported this snapshot, which goes on.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn dump(&self, snapshot: &str, to: File) -> Result<(), PostgresError> {
        let snapshot = format!("--snapshot={snapshot}");
        self.run("pg_dump", &["--format=custom", &snapshot], Stdio::null(), to.into()).await
    }

    /// Reads what [`PrivatePostgres::dump`] wrote into the database, which is empty but whose server has the
    /// roles: all of it or nothing.
    ///
    /// # Errors
    /// When the program is not there, or fails.
    pub async fn load(&self, from: File) -> Result<(), PostgresError> {
        self.run("pg_restore", &["--exit-on-error", "--single-transaction"], from.into(), Stdio::null()).await
    }

    async fn run(
        &self,
        program: &'static str,
        arguments: &[&str],
        input: Stdio,
        output: Stdio,
    ) -> Result<(), PostgresError> {
        let cluster = &self.server.cluster;
        let bin = binaries::find(self.server.pg_bin.as_deref(), cluster.version()?, &cluster.dir).await?;
        let path = bin.join(program);
        if !path.is_file() {
            return Err(PostgresError::NoProgram(path));
        }
        let mut command = cluster.account.command(&path, &cluster.dir);
        command.args(arguments).arg("--dbname").arg(cluster.url());
        command.stdin(input).stdout(output).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(PostgresError::io("run", &path))?;
        let done = child.wait_with_output().await.map_err(PostgresError::io("run", &path))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.trim();
        let begin = said.ceil_char_boundary(said.len().saturating_sub(LONGEST_SAID));
        Err(PostgresError::Program { program, said: said[begin..].to_owned() })
    }
}
