//! Who runs Postgres: this user, or, because Postgres refuses root, another one.

use std::{
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use tokio::process::Command;

use super::PostgresError;

/// A user of this machine.
pub(super) struct Account {
    name: String,
    pub(super) uid: u32,
    gid: u32,
    /// It is not the one this process runs as.
    other: bool,
}

impl Account {
    /// Finds who runs, or is to run, the cluster in this folder.
    pub(super) fn of(cluster: &Path) -> Result<Self, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self {
                name: "you".to_owned(),
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
                other: false,
            });
        }
        // A cluster stays with who made it.
        if let Some(metadata) = fs::metadata(cluster).ok().filter(|metadata| metadata.uid() != 0) {
            let name = metadata.uid().to_string();
            return Ok(Self { name, uid: metadata.uid(), gid: metadata.gid(), other: true });
        }
        let users = Path::new("/etc/passwd");
        let users = fs::read_to_string(users).map_err(PostgresError::io("read", users))?;
        let named = |name: &str| users.lines().filter_map(parse).find(|user| user.name == name);
        named("postgres").or_else(|| named("nobody")).ok_or(PostgresError::NoAccount)
    }

    /// Makes a command for a program run as this user, with nothing from our environment: it would be read
    /// for ports, folders and languages.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir(folder);
        if self.other {
            // This also drops root's supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes this user the owner of `path`.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        if self.other {
            chown(path, Some(self.uid), Some(self.gid)).map_err(PostgresError::io("hand over", path))?;
        }
        Ok(())
    }

    /// Checks that this user gets through to `folder`.
    pub(super) fn check_access(&self, folder: &Path) -> Result<(), PostgresError> {
        if !self.other {
            return Ok(());
        }
        for folder in folder.ancestors() {
            let metadata = fs::metadata(folder).map_err(PostgresError::io("look at", folder))?;
            if !self.may_enter(&metadata) {
                return Err(PostgresError::Unreachable {
                    user: self.name.clone(),
                    folder: folder.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn may_enter(&self, folder: &Metadata) -> bool {
        let bit = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.mode() & bit != 0
    }
}

/// Parses a line of /etc/passwd.
fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid, other: true })
}
