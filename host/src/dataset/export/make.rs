//! Files of exports that are to be made before they can be given: tables, and whatever has pictures that are made
//! of others. Each is written into a file without a name, so that nothing is left of one that is not finished.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hash};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    ExportFileError,
    columns::Besides,
    facts::ExportFacts,
    file,
    parquet::{GROUP_BYTES, GROUP_ROWS, ParquetLayout, ParquetRow, ParquetWriter},
    segments::{Layout, Segment, TextMeasure},
    tar::TarFile,
};
use crate::{
    app::{App, DerivationError},
    db::exports::{self, ExportFileRow, ExportRow},
    derive::{self, Derived},
    model::{ExportFileKind, ExportItem, ExportRecord, Format, ImageId, OriginalPicture, Sha256},
};

/// Most bytes of a file that is made: pictures that are enlarged know no other bound.
const MOST_MADE: u64 = 64 << 30;
/// Rows read at a time.
const PAGE: i64 = 200;

/// A file that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) sha256: Sha256,
    /// What is not in it, for people, where there is something to say.
    pub(super) note: Option<String>,
}

/// Makes a file, on a thread of its own, until it is done or `stop`.
pub(super) async fn make(
    app: &App,
    export: &ExportRow,
    file: &ExportFileRow,
    facts: ExportFacts,
    stop: &CancellationToken,
) -> Result<Made, ExportFileError> {
    let source = Source {
        app: app.clone(),
        export: export.clone(),
        file: file.clone(),
        stop: stop.clone(),
        runtime: Handle::current(),
        left_out: Cell::default(),
        why: RefCell::default(),
    };
    let made = tokio::task::spawn_blocking(move || source.make(&facts)).await;
    made.map_err(|panicked| ExportFileError::Write(io::Error::other(panicked)))?
}

/// The items of a file, and their pictures.
struct Source {
    app: App,
    export: ExportRow,
    file: ExportFileRow,
    stop: CancellationToken,
    runtime: Handle,
    /// Pictures of which nothing could be made, and why of the first.
    left_out: Cell<usize>,
    why: RefCell<Option<String>>,
}

/// Counts and hashes what is written.
struct Sink {
    file: BufWriter<File>,
    length: u64,
    hash: Hash,
}

/// An item as it is kept aside between the passes over it.
#[derive(Serialize, Deserialize)]
struct SpooledItem {
    position: i32,
    sha256: Sha256,
    format: Format,
    size: u64,
    crc32: Option<u32>,
    record: ExportRecord,
}

impl Source {
    fn make(&self, facts: &ExportFacts) -> Result<Made, ExportFileError> {
        let sink = Sink { file: BufWriter::new(self.spool()?), length: 0, hash: Hash::new() };
        let sink = match self.file.kind {
            ExportFileKind::Parquet => self.table(sink, true),
            ExportFileKind::Table => self.table(sink, false),
            ExportFileKind::Zip => self.zip(sink, facts),
            _ => self.tar(sink),
        }?;
        let Sink { file, length, hash } = sink;
        let file = file.into_inner().map_err(|error| ExportFileError::Write(error.into_error()))?;
        let note = self.why.take().map(|why| match self.left_out.get() {
            1 => format!("one picture is left out: {why}"),
            several => format!("{several} pictures are left out; of the first: {why}"),
        });
        Ok(Made { file, length, sha256: Sha256(hash.finalize().into()), note })
    }

    fn spool(&self) -> Result<File, ExportFileError> {
        tempfile::tempfile_in(self.app.config.data_dir()).map_err(ExportFileError::Write)
    }

    /// Does something with each item, and its bytes if `with_bytes`: made of the original where that is asked
    /// for.
    fn each(
        &self,
        with_bytes: bool,
        mut then: impl FnMut(ExportItem, Bytes) -> Result<(), ExportFileError>,
    ) -> Result<(), ExportFileError> {
        let mut after = self.file.first - 1;
        loop {
            let page = self.runtime.block_on(exports::items(&self.app.db, &self.file, after, PAGE))?;
            let page = page.ok_or(ExportFileError::Changed)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            let needs_original = with_bytes || self.export.options.pictures.is_some();
            let picture = |item| async move {
                if needs_original {
                    picture(&self.app, &self.export, item).await
                } else {
                    Ok((item, Bytes::new()))
                }
            };
            // In order, however many are made at a time.
            let mut pictures = stream::iter(page).map(picture).buffered(self.app.derivations.at_once());
            while let Some(picture) = self.runtime.block_on(pictures.next()) {
                if self.stop.is_cancelled() {
                    return Err(ExportFileError::Stopped);
                }
                match picture {
                    Ok((item, bytes)) => then(item, bytes)?,
                    // The same is left out wherever this is made, and the others are worth having.
                    Err(error @ ExportFileError::Derive(..)) => {
                        self.left_out.update(|pictures| pictures + 1);
                        self.why.borrow_mut().get_or_insert_with(|| error.to_string());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn table(&self, sink: Sink, pictures: bool) -> Result<Sink, ExportFileError> {
        let besides = Besides::of(self.export.format, &self.export.options);
        let layout = ParquetLayout { pictures, keys: !pictures, besides };
        let mut writer = ParquetWriter::new(sink, layout)?;
        let (mut group, mut bytes) = (Vec::<(ExportItem, Bytes)>::new(), 0);
        let mut write = |group: &mut Vec<(ExportItem, Bytes)>| {
            let rows: Vec<ParquetRow<'_>> = group
                .iter()
                .map(|(item, _)| ParquetRow { position: item.position, record: &item.record })
                .collect();
            writer.group(&rows, |index| Ok(group[index].1.clone()))?;
            group.clear();
            Ok::<_, ExportFileError>(())
        };
        self.each(pictures, |item, picture| {
            let is_full = group.len() >= GROUP_ROWS || bytes + item.size > GROUP_BYTES;
            if !group.is_empty() && is_full {
                write(&mut group)?;
                bytes = 0;
            }
            bytes += item.size;
            // What is not in the table need not be kept.
            group.push((item, if pictures { picture } else { Bytes::new() }));
            Ok(())
        })?;
        if !group.is_empty() {
            write(&mut group)?;
        }
        Ok(writer.finish()?)
    }

    fn tar(&self, mut sink: Sink) -> Result<Sink, ExportFileError> {
        let mut segments = Vec::new();
        TarFile.begin(0, 0, &mut segments);
        self.each(true, |item, bytes| {
            TarFile.item(0, &item, &mut segments);
            sink.put(&mut segments, &bytes)
        })?;
        TarFile.end(0, &mut segments);
        sink.put(&mut segments, &Bytes::new())?;
        Ok(sink)
    }

    /// The pictures come by once; what is known of them then is kept aside for the other passes.
    fn zip(&self, mut sink: Sink, facts: &ExportFacts) -> Result<Sink, ExportFileError> {
        let records = usize::try_from(self.file.images - self.file.removed).unwrap_or_default();
        let layout = |known: &[TextMeasure]| file::zip(&self.export, facts, records, known);
        let (mut measuring, mut segments) = (layout(&[]), Vec::new());
        let mut spool = BufWriter::new(self.spool()?);
        measuring.begin(0, 0, &mut segments);
        self.each(true, |item, bytes| {
            measuring.item(0, &item, &mut segments);
            sink.put(&mut segments, &bytes)?;
            let ExportItem { position, sha256, format, size, crc32, record, .. } = item;
            let line = SpooledItem { position, sha256, format, size, crc32, record };
            serde_json::to_writer(&mut spool, &line)
                .map_err(io::Error::other)
                .map_err(ExportFileError::Write)?;
            spool.write_all(b"\n").map_err(ExportFileError::Write)
        })?;
        let spool = spool.into_inner().map_err(|error| ExportFileError::Write(error.into_error()))?;
        for pass in 1..measuring.passes() {
            run(&mut measuring, pass, 0, &spool, |_| Ok(()))?;
        }
        let mut layout = layout(&measuring.texts());
        for pass in 1..layout.passes() {
            let start = sink.length;
            run(&mut layout, pass, start, &spool, |segments| sink.put(segments, &Bytes::new()))?;
        }
        Ok(sink)
    }
}

/// Makes a pass over what was kept aside.
fn run(
    layout: &mut dyn Layout,
    pass: usize,
    start: u64,
    mut spool: &File,
    mut put: impl FnMut(&mut Vec<Segment>) -> Result<(), ExportFileError>,
) -> Result<(), ExportFileError> {
    let mut segments = Vec::new();
    layout.begin(pass, start, &mut segments);
    if layout.reads_items(pass) {
        spool.rewind().map_err(ExportFileError::Write)?;
        for line in BufReader::new(spool).lines() {
            let line = line.map_err(ExportFileError::Write)?;
            let SpooledItem { position, sha256, format, size, crc32, record } =
                serde_json::from_str(&line).map_err(|error| ExportFileError::Write(error.into()))?;
            // The row is of no interest any more.
            let image = ImageId(0);
            layout.item(
                pass,
                &ExportItem { position, image, sha256, format, size, crc32, record },
                &mut segments,
            );
            put(&mut segments)?;
            segments.clear();
        }
    }
    layout.end(pass, &mut segments);
    put(&mut segments)
}

/// An item and the bytes of its picture, which is made of the original where the export says so.
pub(super) async fn picture(
    app: &App,
    export: &ExportRow,
    item: ExportItem,
) -> Result<(ExportItem, Bytes), ExportFileError> {
    let ExportItem { sha256, format, size, .. } = item;
    let original = async {
        let object = app.store.get(export.user, &sha256, format, None).await?;
        let object = object.filter(|object| object.size() == size);
        Ok::<_, ExportFileError>(object.ok_or(ExportFileError::Missing(sha256))?.bytes().await?)
    };
    let Some(wish) = export.options.pictures else {
        let original = original.await?;
        return Ok((item, original));
    };
    let explain = |error| match error {
        DerivationError::Derive(error) => ExportFileError::Derive(sha256, error.to_string()),
        DerivationError::Stopped => ExportFileError::Stopped,
    };
    let turn = app.derivations.turn().await.map_err(explain)?;
    let original = original.await?;
    let need = move |header: &_| derive::memory(header, &wish);
    let made = turn.make(original, need, move |bytes, limits| derive::derive(bytes, &wish, limits));
    let Derived { bytes, width, height, format } = made.await.map_err(explain)?;
    let bytes = Bytes::from(bytes);
    Ok((made_item(item, &bytes, format.format(), (width, height)), bytes))
}

/// What is known of a picture that was made of that of an item.
pub(super) fn made_item(
    item: ExportItem,
    bytes: &[u8],
    format: Format,
    (width, height): (u32, u32),
) -> ExportItem {
    let (sha256, size) = (Sha256::of(bytes), bytes.len() as u64);
    let of = item.record;
    let record = ExportRecord {
        file_name: of.made_file_name(format),
        width,
        height,
        size,
        sha256: sha256.to_string(),
        original: Some(OriginalPicture {
            original_width: of.width,
            original_height: of.height,
            original_sha256: of.sha256.clone(),
            original_size: of.size,
        }),
        ..of
    };
    let crc32 = Some(crc32fast::hash(bytes));
    ExportItem { sha256, format, size, crc32, record, ..item }
}

impl Sink {
    /// Writes segments, where `picture` is the only picture.
    fn put(&mut self, segments: &mut Vec<Segment>, picture: &Bytes) -> Result<(), ExportFileError> {
        for segment in segments.drain(..) {
            let bytes = match &segment {
                Segment::Bytes(bytes) => bytes,
                Segment::Picture(_) => picture,
            };
            self.write_all(bytes).map_err(ExportFileError::Write)?;
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length + bytes.len() as u64 > MOST_MADE {
            let why = "the file becomes too large; ask for smaller shards or pictures";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
