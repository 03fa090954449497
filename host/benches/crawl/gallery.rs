//! The web site that is crawled: pictures from memory on loopback, in a process of its
//! own so that its CPU time is not counted. Others go before it, because it stands for machines elsewhere.

#[path = "../../../tests/support/origin.rs"]
#[expect(clippy::unwrap_used, dead_code, reason = "it is of the tests, which look at what was asked, too")]
mod origin;

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use self::origin::{Origin, Reply, reply};

/// First argument of the process that serves.
pub(crate) const SERVE: &str = "serve-gallery";
/// Pictures on a page.
const PAGE: usize = 100;

/// The site's process; it ends with this.
pub(crate) struct Gallery {
    process: Child,
    base: String,
}

impl Gallery {
    /// Starts this very program a second time.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn start(pictures: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg(SERVE)
            .arg(pictures)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().context("no output of the gallery")?;
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(line.ends_with('\n'), "the gallery did not start");
        Ok(Self { base: line.trim().to_owned(), process })
    }

    /// The address of the picture with this number.
    pub(crate) fn picture(&self, number: usize) -> String {
        format!("{}/picture/{number}", self.base)
    }

    /// The first page of a list of `pictures` pictures from the one with number `first` on. Each number is
    /// a picture of its own bytes: what was seen before is not decoded again.
    pub(crate) fn list(&self, first: usize, pictures: usize) -> String {
        format!("{}/list/{}/{first}", self.base, first + pictures)
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process that serves; ends when it is killed.
///
/// # Errors
/// When the pictures cannot be read, or there is no port.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    rustix::process::nice(19)?;
    let mut names: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    names.sort();
    let read = |path: std::path::PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        Ok((extension, fs::read(path)?))
    };
    let site = Site { bases: names.into_iter().map(read).collect::<anyhow::Result<_>>()? };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let origin = Origin::start(move |asked| {
            let (_, path) = asked.url.split_once('/').unwrap_or_default();
            site.answer(path)
        })
        .await;
        println!("{}", origin.base());
        std::io::stdout().flush()?;
        std::future::pending().await
    })
}

struct Site {
    /// Extension and bytes.
    bases: Vec<(String, Vec<u8>)>,
}

impl Site {
    fn answer(&self, path: &str) -> Reply {
        let mut parts = path.split(['/', '.']);
        let kind = parts.next().unwrap_or_default();
        let mut number = || parts.next()?.parse::<usize>().ok();
        match (kind, number(), number()) {
            ("list", Some(all), Some(first)) => reply("text/html", self.list(all, first)),
            ("picture", Some(at), _) => {
                let (_, base) = &self.bases[at % self.bases.len()];
                Reply::new([base.as_slice(), format!("#{at}").as_bytes()].concat().into())
            }
            _ => {
                let mut missing = Reply::default();
                *missing.status_mut() = http::StatusCode::NOT_FOUND;
                missing
            }
        }
    }

    fn list(&self, all: usize, first: usize) -> String {
        let end = all.min(first + PAGE);
        let mut html = String::from("<!doctype html><title>Gallery</title>");
        for at in first..end {
            let (extension, _) = &self.bases[at % self.bases.len()];
            html += &format!("<img src=\"/picture/{at}.{extension}\" alt=\"Picture {at}\">\n");
        }
        if end < all {
            html += &format!("<a rel=next href=\"/list/{all}/{end}\">next</a>");
        }
        html
    }
}
