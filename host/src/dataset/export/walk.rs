//! Goes through files whose bytes follow from the rows of their pictures: measures them, and gives any range of
//! them, with the memory of a page of rows and some pictures.

use std::{io, ops::Range};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{
    ExportFileError,
    segments::{Cut, Layout, PictureRef, Piece, Segment, TextMeasure},
};
use crate::{
    db::{
        self, PgPool,
        exports::{self, ExportFileRow},
    },
    model::UserId,
    store::{Object, Store},
};

/// Rows read at a time.
const PAGE: i64 = 500;
/// Pictures that are looked for ahead of the one that is sent.
const AHEAD: usize = 8;
/// Those of at most so many bytes are read ahead, too.
const SMALL: u64 = 1 << 20;

/// What it takes to give any range of a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Measure {
    /// Lengths of the passes, in bytes.
    pub(super) passes: Vec<u64>,
    /// Of the texts within.
    pub(super) texts: Vec<TextMeasure>,
}

/// A file as it is gone through.
pub(super) struct Walk {
    db: PgPool,
    file: ExportFileRow,
    layout: Box<dyn Layout>,
    pass: usize,
    /// Position of the last item of this pass; none before its beginning.
    after: Option<i32>,
    /// Where in the file what comes next is.
    at: u64,
    /// Lengths of the passes so far.
    lengths: Vec<u64>,
}

/// A picture that was looked for.
enum Found {
    Bytes(Bytes),
    Object(Box<Object>),
}

impl Walk {
    /// From the beginning.
    pub(super) fn new(db: &PgPool, file: &ExportFileRow, layout: Box<dyn Layout>) -> Self {
        let (db, file) = (db.clone(), file.clone());
        Self { db, file, layout, pass: 0, after: None, at: 0, lengths: Vec::new() }
    }

    /// What comes next; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<Segment>>, ExportFileError> {
        if self.pass == self.layout.passes() {
            return Ok(None);
        }
        let mut segments = Vec::new();
        let after = self.after.unwrap_or_else(|| {
            self.layout.begin(self.pass, self.at, &mut segments);
            self.file.first - 1
        });
        let page = if self.layout.reads_items(self.pass) {
            let page = exports::items(&self.db, &self.file, after, PAGE).await?;
            page.ok_or(ExportFileError::Changed)?
        } else {
            Vec::new()
        };
        for item in &page {
            self.layout.item(self.pass, item, &mut segments);
        }
        let is_last = page.len() < usize::try_from(PAGE).unwrap_or_default();
        if is_last {
            self.layout.end(self.pass, &mut segments);
        }
        self.at += segments.iter().map(Segment::len).sum::<u64>();
        self.after = page.last().map(|item| item.position);
        if is_last {
            self.lengths.push(self.at - self.lengths.iter().sum::<u64>());
            (self.pass, self.after) = (self.pass + 1, None);
        }
        Ok(Some(segments))
    }

    /// What comes next of what is wanted; none at its end.
    async fn pieces(&mut self, cut: &mut Cut) -> Result<Option<Vec<Piece>>, ExportFileError> {
        if cut.is_done() {
            return Ok(None);
        }
        let segments = self.next().await?;
        Ok(segments.map(|segments| joined(segments.into_iter().filter_map(|segment| cut.take(segment)))))
    }

    /// Leaves out what is known to lie before what is wanted.
    fn skip(&mut self, known: &[u64], cut: &mut Cut) {
        while let Some(length) = known.get(self.pass).filter(|length| cut.pass(**length)) {
            self.at += length;
            self.lengths.push(*length);
            self.pass += 1;
        }
    }

    /// How long the file is, and the rest.
    pub(super) async fn measure(mut self) -> Result<(u64, Measure), ExportFileError> {
        while self.next().await?.is_some() {}
        Ok((self.at, Measure { passes: self.lengths, texts: self.layout.texts() }))
    }

    /// The bytes in a range. An error ends the stream.
    pub(super) fn bytes(
        mut self,
        measure: &Measure,
        range: Range<u64>,
        store: &Store,
        user: UserId,
    ) -> impl Stream<Item = Result<Bytes, ExportFileError>> + Send + 'static + use<> {
        let mut cut = Cut::new(range);
        self.skip(&measure.passes, &mut cut);
        // The next page of rows is read while the pictures of this one are sent.
        let read = |(mut walk, mut cut): (Self, Cut)| {
            tokio::spawn(async move { Ok::<_, ExportFileError>((walk.pieces(&mut cut).await?, (walk, cut))) })
        };
        let pages = stream::try_unfold(read((self, cut)), move |reading| async move {
            let panicked = |panicked| ExportFileError::from(db::Error::Io(io::Error::other(panicked)));
            let (pieces, next) = reading.await.map_err(panicked)??;
            Ok::<_, ExportFileError>(pieces.map(|pieces| (pieces, read(next))))
        });
        let store = store.clone();
        pages
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok::<_, ExportFileError>)))
            .try_flatten()
            .map(move |piece| {
                let store = store.clone();
                async move {
                    match piece? {
                        Piece::Bytes(bytes) => Ok(Found::Bytes(bytes)),
                        Piece::Picture(picture, range) => find(&store, user, picture, range).await,
                    }
                }
            })
            .buffered(AHEAD)
            .map_ok(|found| match found {
                Found::Bytes(bytes) => stream::once(std::future::ready(Ok(bytes))).boxed(),
                Found::Object(object) => object.stream().map_err(ExportFileError::Store).boxed(),
            })
            .try_flatten()
    }
}

/// Bytes that follow one another are one piece.
fn joined(pieces: impl Iterator<Item = Piece>) -> Vec<Piece> {
    let (mut joined, mut bytes) = (Vec::new(), BytesMut::new());
    let flush = |bytes: &mut BytesMut, joined: &mut Vec<Piece>| {
        if !bytes.is_empty() {
            joined.push(Piece::Bytes(bytes.split().freeze()));
        }
    };
    for piece in pieces {
        match piece {
            Piece::Bytes(more) => bytes.extend_from_slice(&more),
            picture @ Piece::Picture(..) => {
                flush(&mut bytes, &mut joined);
                joined.push(picture);
            }
        }
    }
    flush(&mut bytes, &mut joined);
    joined
}

/// Looks for a picture: what else is in its place is as if nothing were.
async fn find(
    store: &Store,
    user: UserId,
    PictureRef { sha256, format, size }: PictureRef,
    range: Range<u64>,
) -> Result<Found, ExportFileError> {
    let len = range.end - range.start;
    let part = (len < size).then_some(range);
    let object = store.get(user, &sha256, format, part).await?;
    let object = object.filter(|object| object.size() == size).ok_or(ExportFileError::Missing(sha256))?;
    if len > SMALL {
        return Ok(Found::Object(Box::new(object)));
    }
    Ok(Found::Bytes(object.bytes().await?))
}
