//! An export written into a folder of this machine. What was interrupted goes on where it was: a file that is whole
//! is kept, and one that was begun is continued.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Component, Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hash};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter},
};

use super::{
    ExportFileError, OpenFile, attribution, card,
    croissant::Croissant,
    facts::Counts,
    file::{facts, listing_of},
    make::{made_item, picture},
    manifest::{ExportFile, Manifest, WholeExport},
};
use crate::{
    app::{App, decode_limits},
    atomic_write,
    dataset::{
        ATTRIBUTION, CARD, CROISSANT, ExportError, LISTING, MANIFEST, cannot_write, documents,
        documents::put_text, draft::Draft, gone, listed, put_picture, remove,
    },
    db::exports::{self, ExportFileRow, ExportRow},
    error::chain,
    model::{
        DatasetId, Derivative, ExportFileKind, ExportFormat, ExportId, ExportItem, ExportOptions, Format,
        Sha256, SplitPart,
    },
    private, validate,
};

/// Name of the file that tells of an export that is not finished.
const UNFINISHED: &str = ".pixcrawler-export.json";
/// Name of the file that names the pictures that an unfinished export has put into the folder.
const PUT: &str = ".pixcrawler-export.pictures";
/// Rows read at a time.
const PAGE: i64 = 200;
/// How often all is written anew because pictures go meanwhile.
const TRIES: usize = 3;
/// How often it is looked whether another process has made a file.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes read of a file at a time.
const BUFFER: usize = 1 << 16;

/// An export on its way into a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalExport {
    /// Which.
    pub export: ExportId,
    /// Of what.
    pub dataset: DatasetId,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: ExportOptions,
    /// Files that are whole, with what tells them from other versions of them.
    #[serde(default)]
    done: BTreeMap<String, DoneFile>,
    /// It was begun before.
    #[serde(skip)]
    goes_on: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DoneFile {
    tag: String,
    bytes: u64,
    sha256: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct LocalProgress<'a> {
    /// Name of the file, or what is done instead.
    pub what: &'a str,
    /// Pictures of a folder, bytes of any other file.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// Whoever is told how far it is.
pub type Tell<'a> = &'a (dyn Fn(LocalProgress<'_>) + Sync);

impl LocalExport {
    /// A new one.
    #[must_use]
    pub const fn new(
        export: ExportId,
        dataset: DatasetId,
        format: ExportFormat,
        options: ExportOptions,
    ) -> Self {
        Self { export, dataset, format, options, done: BTreeMap::new(), goes_on: false }
    }

    /// The one that a folder holds unfinished, if there is one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, ExportError> {
        let path = folder.join(UNFINISHED);
        match std::fs::read(&path) {
            // What cannot be understood was never begun by this version.
            Ok(text) => Ok(serde_json::from_slice(&text).ok().map(|read| Self { goes_on: true, ..read })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot_write(&path)(error)),
        }
    }

    /// Tells whether a folder may be written into: it has an export, begun or whole, or no file of such names,
    /// and is not that of a crawl.
    #[must_use]
    pub fn may_write(folder: &Path) -> bool {
        let is_there = |name: &str| folder.join(name).exists();
        if is_there(UNFINISHED) {
            return true;
        }
        let card = std::fs::read_to_string(folder.join(CARD)).unwrap_or_default();
        // The folder of a crawl has no manifest.
        let is_export = is_there(MANIFEST) && card.contains(card::MARK);
        let is_split = Self::whole(folder).is_some_and(|whole| whole.identity.options.split.is_some());
        // A dataset in a folder that is called like a part is not a part.
        if !is_split && SplitPart::ALL.map(listing_of).into_iter().any(is_there) {
            return false;
        }
        is_export || ![LISTING, CARD, ATTRIBUTION, MANIFEST, CROISSANT].into_iter().any(is_there)
    }

    /// The export that lies whole in a folder, as far as can be told.
    #[must_use]
    pub fn whole(folder: &Path) -> Option<WholeExport> {
        serde_json::from_slice(&std::fs::read(folder.join(MANIFEST)).ok()?).ok()
    }

    /// Takes that away: its pictures, its files, and in the end what tells of them.
    ///
    /// # Errors
    /// When something cannot be taken away.
    pub async fn remove_whole(folder: &Path, whole: &WholeExport) -> Result<(), ExportError> {
        let listings = listings(whole.identity.options.split.is_some());
        remove(gone(folder, listed_in(folder, &listings).await?, &[])).await?;
        let is_listing = |name: &str| listings.contains(&name);
        let is_inside =
            |name: &str| is_listing(name) || Path::new(name).file_name().is_some_and(|file| file == name);
        let names = whole.files.iter().map(|file| file.name.as_str()).filter(|name| is_inside(name));
        remove(names.chain([CROISSANT, MANIFEST]).map(|name| folder.join(name)).collect()).await
    }

    /// Whether it is the same that is asked for now.
    #[must_use]
    pub fn is(&self, dataset: DatasetId, format: ExportFormat, options: &ExportOptions) -> bool {
        (self.dataset, self.format, &self.options) == (dataset, format, options)
    }

    /// Notes it in its folder.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn note(&self, folder: &Path) -> Result<(), ExportError> {
        let path = folder.join(UNFINISHED);
        let text = serde_json::to_vec(self).unwrap_or_default();
        atomic_write::write(&path, &text).map_err(cannot_write(&path))
    }

    /// Takes the note away.
    ///
    /// # Errors
    /// When it cannot be taken away.
    pub fn forget(folder: &Path) -> Result<(), ExportError> {
        let path = folder.join(UNFINISHED);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Takes away what it has left in its folder, of which no list tells yet.
    ///
    /// # Errors
    /// When something cannot be taken away.
    pub async fn remove(&self, folder: &Path) -> Result<(), ExportError> {
        remove(gone(folder, put_before(folder)?, &[])).await?;
        for name in self.done.keys() {
            remove_parts(folder, name).await?;
        }
        remove(self.done.keys().map(String::as_str).chain([PUT]).map(|name| folder.join(name)).collect())
            .await
    }

    /// Writes all of it into its folder, where it was noted before, and gives its files.
    ///
    /// # Errors
    /// When not all could be written. What is there stays, and the same again goes on with it.
    pub async fn write(
        &mut self,
        app: &App,
        export: &ExportRow,
        folder: &Path,
        tell: Tell<'_>,
    ) -> Result<Vec<ExportFile>, ExportError> {
        let mut export = export.clone();
        for _ in 0..TRIES {
            let written = match self.format {
                ExportFormat::Folder => self.folder(app, &export, folder, tell).await,
                _ => self.files(app, &export, folder, tell).await,
            };
            let now = exports::show(&app.db, export.user, export.dataset, export.id).await?;
            let now = now.ok_or(ExportFileError::Changed)?;
            match written {
                Ok(files) if now.revision == export.revision => return Ok(files),
                Err(ExportError::File(ExportFileError::Changed)) | Ok(_) => export = now,
                Err(error) => return Err(error),
            }
        }
        Err(ExportFileError::Changed.into())
    }

    async fn files(
        &mut self,
        app: &App,
        export: &ExportRow,
        folder: &Path,
        tell: Tell<'_>,
    ) -> Result<Vec<ExportFile>, ExportError> {
        let mut files = Vec::new();
        for row in app.export_files(export).await? {
            let opened = open(app, export, &row, tell).await?;
            let done = self.file(&row, opened, folder, tell).await?;
            files.push(ExportFile { bytes: Some(done.bytes), sha256: Some(done.sha256), ..row.into() });
        }
        let rows = exports::files(&app.db, export.id).await?;
        let facts = facts(&app.db, export, &rows).await?;
        let ExportRow { format, ref options, .. } = *export;
        let images = export.left();
        let described = Croissant { facts: &facts, format, options, files: &files }.text();
        put_text(&folder.join(CROISSANT), &described)?;
        let manifest = Manifest { name: &facts.name, format, options, images, files: &files };
        put_text(&folder.join(MANIFEST), &manifest.text())?;
        Ok(files)
    }

    /// Writes a file, or what is missing of it.
    async fn file(
        &mut self,
        row: &ExportFileRow,
        opened: OpenFile,
        folder: &Path,
        tell: Tell<'_>,
    ) -> Result<DoneFile, ExportError> {
        let name = row.name.as_str();
        let (path, tag, length) = (folder.join(name), opened.tag.clone(), opened.length);
        let progress = |done| tell(LocalProgress { what: name, done, total: length });
        if let Some(done) = self.done.get(name).filter(|done| done.tag == tag)
            && hashed(&path).await.is_ok_and(|(hash, bytes)| bytes == done.bytes && hex(hash) == done.sha256)
        {
            progress(length);
            return Ok(done.clone());
        }
        // The tag is in the name: what is of another version is not continued.
        let part = folder.join(format!(".{name}.{}.part", tag.trim_matches('"')));
        let (mut hash, mut at) = match hashed(&part).await {
            Ok((hash, bytes)) if bytes <= length => (hash, bytes),
            Ok(_) => {
                tokio::fs::remove_file(&part).await.map_err(cannot_write(&part))?;
                (Hash::new(), 0)
            }
            Err(_) => (Hash::new(), 0),
        };
        let file = OpenOptions::new().create(true).append(true).open(&part).await;
        let mut file = BufWriter::with_capacity(BUFFER, file.map_err(cannot_write(&part))?);
        let mut bytes = opened.bytes(at..length).await?;
        while let Some(bytes) = bytes.try_next().await? {
            file.write_all(&bytes).await.map_err(cannot_write(&part))?;
            hash.update(&bytes);
            at += bytes.len() as u64;
            progress(at);
        }
        file.flush().await.map_err(cannot_write(&part))?;
        if at != length {
            return Err(ExportFileError::Changed.into());
        }
        file.get_ref().sync_all().await.map_err(cannot_write(&part))?;
        private::share(&part).map_err(cannot_write(&part))?;
        tokio::fs::rename(&part, &path).await.map_err(cannot_write(&path))?;
        let done = DoneFile { tag, bytes: length, sha256: hex(hash) };
        self.done.insert(name.to_owned(), done.clone());
        self.note(folder)?;
        remove_parts(folder, name).await?;
        Ok(done)
    }

    async fn folder(
        &self,
        app: &App,
        export: &ExportRow,
        folder: &Path,
        tell: Tell<'_>,
    ) -> Result<Vec<ExportFile>, ExportError> {
        let rows = exports::files(&app.db, export.id).await?;
        // Which has all pictures.
        let all = rows.iter().find(|row| row.kind == ExportFileKind::Card);
        let all = all.ok_or(ExportFileError::Unreadable)?;
        let mut listings: Vec<(&'static str, u64, Draft)> = Vec::new();
        if export.options.split.is_none() {
            listings.push((LISTING, 0, Draft::begin(&folder.join(LISTING)).await?));
        }
        let mut attribution = documents::begin_attribution(folder).await?;
        let (mut counts, mut files) = (Counts::default(), Vec::new());
        let total = export.left();
        let mut after = all.first - 1;
        let log = PutLog::open(folder)?;
        loop {
            let page = exports::items(&app.db, all, after, PAGE).await?.ok_or(ExportFileError::Changed)?;
            let Some(last) = page.last() else { break };
            after = last.position;
            let put = |item| put(app, export, item, (folder, &log), self.goes_on);
            let mut items = stream::iter(page).map(put).buffered(app.derivations.at_once());
            while let Some(item) = items.next().await {
                let record = match item {
                    Ok(ExportItem { record, .. }) => record,
                    // The others are worth having.
                    Err(ExportError::File(error @ ExportFileError::Derive(..))) => {
                        tracing::warn!(error = %chain(&error), "a picture is left out");
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                // Parts come one after another.
                let listing = record.split.map_or(LISTING, listing_of);
                if listings.last().is_none_or(|(last, ..)| *last != listing) {
                    listings.push((listing, 0, Draft::begin(&folder.join(listing)).await?));
                }
                if let Some((_, images, lines)) = listings.last_mut() {
                    *images += 1;
                    lines.push_json(&record).await?;
                }
                if let Some(attribution) = &mut attribution {
                    attribution.push(&attribution::row(&record)).await?;
                }
                counts.add(&record);
                files.push(folder.join(record.path()));
                tell(LocalProgress { what: "pictures", done: files.len() as u64, total });
            }
        }
        let images = files.len() as u64;
        let mut finished = Vec::new();
        for (name, images, lines) in &mut listings {
            finished.push((*name, *images, lines.finish().await?));
        }
        // An export before may have been split in another way, or not at all.
        let was_split = Self::whole(folder).is_some_and(|whole| whole.identity.options.split.is_some());
        let listings_before = self::listings(was_split || self.goes_on && export.options.split.is_some());
        let mut before = listed_in(folder, &listings_before).await?;
        // What was interrupted before it could list them; who trains on the folder would find them.
        before.extend(put_before(folder)?);
        for (.., lines) in listings {
            lines.replace().await?;
        }
        let others = listings_before.iter().filter(|name| finished.iter().all(|(there, ..)| there != *name));
        remove(others.map(|name| folder.join(name)).collect()).await?;
        remove(gone(folder, before, &files)).await?;
        let mut attributed = None;
        if let Some(mut draft) = attribution {
            attributed = Some(draft.finish().await?);
            draft.replace().await?;
        }
        let mut facts = facts(&app.db, export, &rows).await?;
        facts.counts = counts;
        let said = documents::write(folder, &facts, &export.options, finished, attributed, false)?;
        let ExportRow { format, ref options, .. } = *export;
        let manifest = Manifest { name: &facts.name, format, options, images, files: &said };
        put_text(&folder.join(MANIFEST), &manifest.text())?;
        remove(vec![folder.join(PUT)]).await?;
        Ok(said)
    }
}

/// Opens a file, which is made before if need be.
async fn open(
    app: &App,
    export: &ExportRow,
    row: &ExportFileRow,
    tell: Tell<'_>,
) -> Result<OpenFile, ExportError> {
    let mut has_tried = false;
    loop {
        match app.open_export_file(export.user, export.dataset, export.id, &row.name).await {
            Ok(opened) => return Ok(opened.ok_or(ExportFileError::Changed)?),
            Err(ExportFileError::NotReady(why)) => {
                if has_tried && why.is_some() {
                    return Err(ExportFileError::NotReady(why).into());
                }
                tell(LocalProgress { what: "making files", done: 0, total: 0 });
                if has_tried {
                    // Another process is about it.
                    tokio::time::sleep(LOOK).await;
                }
                app.finish_export(export.id).await?;
                has_tried = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Has the picture of an item in the folder, and says what it is.
async fn put(
    app: &App,
    export: &ExportRow,
    item: ExportItem,
    (folder, log): (&Path, &PutLog),
    goes_on: bool,
) -> Result<ExportItem, ExportError> {
    let Some(wish) = export.options.pictures else {
        let path = folder.join(item.record.path());
        let is_there = hashed(&path).await.is_ok_and(|(hash, _)| hash.finalize()[..] == item.sha256.0);
        if !is_there {
            let (_, bytes) = picture(app, export, item.clone()).await?;
            log.note(&item.record.path())?;
            put_picture(&path, &bytes).await?;
        }
        return Ok(item);
    };
    let path = folder.join(item.record.path()).with_extension(wish.format.format().extension());
    if goes_on && let Some(there) = made_before(app, &path, &item, &wish).await {
        return Ok(there);
    }
    let (item, bytes) = picture(app, export, item).await?;
    if tokio::fs::read(&path).await.ok().is_none_or(|there| there != bytes) {
        log.note(&item.record.path())?;
        put_picture(&path, &bytes).await?;
    }
    Ok(item)
}

/// What an interrupted export made of an item, if it did: files come into their places whole.
async fn made_before(app: &App, path: &Path, item: &ExportItem, wish: &Derivative) -> Option<ExportItem> {
    let bytes = tokio::fs::read(path).await.ok()?;
    let header = validate::inspect(&bytes, &decode_limits(&app.config)).ok()?;
    let format = wish.format.format();
    let size = (header.width, header.height);
    (header.format == format).then(|| made_item(item.clone(), &bytes, format, size))
}

/// Names each picture before it is put into a folder, for who finds the folder as it is when this was killed.
struct PutLog {
    path: PathBuf,
    file: Mutex<std::fs::File>,
}

impl PutLog {
    fn open(folder: &Path) -> Result<Self, ExportError> {
        let path = folder.join(PUT);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self { file: Mutex::new(file.map_err(cannot_write(&path))?), path })
    }

    fn note(&self, picture: &str) -> Result<(), ExportError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{picture}\n").as_bytes()).map_err(cannot_write(&self.path))
    }
}

/// The pictures that an unfinished export has put into a folder, below it.
fn put_before(folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let path = folder.join(PUT);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_write(&path)(error)),
    };
    let is_below = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_picture = |path: &Path| path.file_name()?.to_str().and_then(Format::of_name);
    let lines = String::from_utf8_lossy(&text).lines().map(PathBuf::from).collect::<Vec<_>>();
    Ok(lines.into_iter().filter(|path| is_below(path) && is_picture(path).is_some()).collect())
}

/// The hash of a file, and its length in bytes.
async fn hashed(path: &Path) -> io::Result<(Hash, u64)> {
    let mut file = File::open(path).await?;
    let (mut hash, mut length, mut buffer) = (Hash::new(), 0, vec![0; BUFFER]);
    loop {
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            return Ok((hash, length));
        }
        hash.update(&buffer[..read]);
        length += read as u64;
    }
}

fn hex(hash: Hash) -> String {
    Sha256(hash.finalize().into()).to_string()
}

/// The listings that there may be in a folder, which may have parts.
fn listings(has_parts: bool) -> Vec<&'static str> {
    let parts = SplitPart::ALL.map(listing_of).into_iter().filter(|_| has_parts);
    [LISTING].into_iter().chain(parts).collect()
}

/// The files that these listings of a folder name, below it.
async fn listed_in(folder: &Path, listings: &[&str]) -> Result<Vec<PathBuf>, ExportError> {
    let mut files = Vec::new();
    for name in listings {
        let beside = Path::new(name).parent().unwrap_or(Path::new(""));
        files.extend(listed(&folder.join(name)).await?.into_iter().map(|file| beside.join(file)));
    }
    Ok(files)
}

/// Removes what was begun of other versions of a file.
async fn remove_parts(folder: &Path, name: &str) -> Result<(), ExportError> {
    let mut entries = tokio::fs::read_dir(folder).await.map_err(cannot_write(folder))?;
    while let Some(entry) = entries.next_entry().await.map_err(cannot_write(folder))? {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let tag = found.strip_prefix(&format!(".{name}.")).and_then(|rest| rest.strip_suffix(".part"));
        if tag.is_some_and(|tag| tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            tokio::fs::remove_file(entry.path()).await.map_err(cannot_write(&entry.path()))?;
        }
    }
    Ok(())
}
