//! The fields of a record as columns of a table: under which names, in which order and of what kind. Every
//! format that has columns takes them from here.

use crate::model::{ExportFormat, ExportOptions, ExportRecord, SplitPart};

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or none.
    Text,
    /// A list of texts.
    Texts,
    /// A whole number, or none.
    Integer,
}

/// What a record has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// Text, or none.
    Text(Option<&'a str>),
    /// A list of texts.
    Texts(&'a [String]),
    /// A whole number, or none.
    Integer(Option<u64>),
}

/// A field of every record.
pub(super) struct Column {
    /// Key in `metadata.jsonl`.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// What it means, in words.
    pub(super) meaning: &'static str,
    /// Of one record.
    pub(super) cell: for<'a> fn(&'a ExportRecord) -> Cell<'a>,
}

impl Column {
    const fn new(
        name: &'static str,
        kind: Kind,
        meaning: &'static str,
        cell: for<'a> fn(&'a ExportRecord) -> Cell<'a>,
    ) -> Self {
        Self { name, kind, meaning, cell }
    }
}

/// Scores are not negative.
fn score(score: Option<i16>) -> Option<u64> {
    score.and_then(|score| u64::try_from(score).ok())
}

/// Which columns an export has besides those of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Besides {
    /// The part that each picture is in.
    pub is_split: bool,
    /// What the pictures were made of.
    pub are_made: bool,
}

impl Besides {
    /// Of an export in this format with these options.
    #[must_use]
    pub const fn of(format: ExportFormat, options: &ExportOptions) -> Self {
        Self {
            is_split: options.split.is_some(),
            are_made: options.pictures.is_some() && format.has_pictures(),
        }
    }
}

/// Fields of pictures that are what was found, in the order of a record.
const COLUMNS: [Column; 25] = {
    use Cell::{Integer, Text, Texts};
    [
        Column::new("file_name", Kind::Text, "path of the picture among the class folders", |r| {
            Text(Some(&r.file_name))
        }),
        Column::new("label", Kind::Text, "first label, which is that of its folder", |r| {
            Text(Some(&r.label))
        }),
        Column::new("labels", Kind::Texts, "all labels, the first one first", |r| Texts(&r.labels)),
        Column::new("tags", Kind::Texts, "the source's own words for what it shows", |r| Texts(&r.tags)),
        Column::new("url", Kind::Text, "address that the picture came from", |r| Text(Some(&r.url))),
        Column::new("asked_url", Kind::Text, "address that was asked first, where that is another", |r| {
            Text(r.asked_url.as_deref())
        }),
        Column::new("source", Kind::Text, "source that named the picture", |r| Text(r.source.as_deref())),
        Column::new("page_url", Kind::Text, "page that shows the picture", |r| {
            Text(r.provenance.page_url.as_deref())
        }),
        Column::new("title", Kind::Text, "title", |r| Text(r.provenance.title.as_deref())),
        Column::new("description", Kind::Text, "description or alternative text", |r| {
            Text(r.provenance.description.as_deref())
        }),
        Column::new("creator", Kind::Text, "who made it", |r| Text(r.provenance.creator.as_deref())),
        Column::new("creator_url", Kind::Text, "page of who made it", |r| {
            Text(r.provenance.creator_url.as_deref())
        }),
        Column::new("license", Kind::Text, "licence as the source says it, such as cc-by-4.0", |r| {
            Text(r.provenance.license.as_deref())
        }),
        Column::new("license_url", Kind::Text, "text of the licence", |r| {
            Text(r.provenance.license_url.as_deref())
        }),
        Column::new("attribution", Kind::Text, "line to print beside the picture", |r| {
            Text(r.provenance.attribution.as_deref())
        }),
        Column::new(
            "consent",
            Kind::Texts,
            "what its owner says of AI training and data mining, each as `meaning signal place value`; empty \
             where nothing was read",
            |r| Texts(&r.consent),
        ),
        Column::new("width", Kind::Integer, "in pixels", |r| Integer(Some(r.width.into()))),
        Column::new("height", Kind::Integer, "in pixels", |r| Integer(Some(r.height.into()))),
        Column::new("size", Kind::Integer, "in bytes", |r| Integer(Some(r.size))),
        Column::new("sha256", Kind::Text, "SHA-256 of the bytes, in hexadecimal", |r| Text(Some(&r.sha256))),
        Column::new("pdq", Kind::Text, "perceptual hash by PDQ, in hexadecimal", |r| Text(r.pdq.as_deref())),
        Column::new("brightness", Kind::Integer, "mean luma, 0 (black) to 100 (white)", |r| {
            Integer(score(r.scores.brightness))
        }),
        Column::new("contrast", Kind::Integer, "standard deviation of luma, 0 (one shade) to 100", |r| {
            Integer(score(r.scores.contrast))
        }),
        Column::new(
            "sharpness",
            Kind::Integer,
            "energy of the Laplacian at 256 pixels, 0 (soft) to 100",
            |r| Integer(score(r.scores.sharpness)),
        ),
        Column::new("jpeg_quality", Kind::Integer, "quality of a JPEG, 1 to 100", |r| {
            Integer(score(r.scores.jpeg_quality))
        }),
    ]
};

/// The field that pictures of an export have besides that is split.
const OF_SPLIT: [Column; 1] =
    [Column::new("split", Kind::Text, "part of the split: `train`, `validation` or `test`", |r| {
        Cell::Text(r.split.map(SplitPart::name))
    })];

/// Fields that pictures have besides, which were made of what was found.
const OF_ORIGINAL: [Column; 4] = {
    use Cell::{Integer, Text};
    [
        Column::new("original_width", Kind::Integer, "of what was found, in pixels", |r| {
            Integer(r.original.as_ref().map(|original| original.original_width.into()))
        }),
        Column::new("original_height", Kind::Integer, "of what was found, in pixels", |r| {
            Integer(r.original.as_ref().map(|original| original.original_height.into()))
        }),
        Column::new("original_sha256", Kind::Text, "SHA-256 of what was found, in hexadecimal", |r| {
            Text(r.original.as_ref().map(|original| &*original.original_sha256))
        }),
        Column::new("original_size", Kind::Integer, "of what was found, in bytes", |r| {
            Integer(r.original.as_ref().map(|original| original.original_size))
        }),
    ]
};

/// The columns of an export.
pub(super) fn columns(Besides { is_split, are_made }: Besides) -> impl Iterator<Item = &'static Column> {
    let of_split = const { &OF_SPLIT }.iter().filter(move |_| is_split);
    let of_original = const { &OF_ORIGINAL }.iter().filter(move |_| are_made);
    const { &COLUMNS }.iter().chain(of_split).chain(of_original)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OriginalPicture;

    #[test]
    fn columns_are_the_keys_of_a_record() {
        let original = OriginalPicture {
            original_width: 4,
            original_height: 3,
            original_sha256: "ab".to_owned(),
            original_size: 5,
        };
        for besides in [(false, false), (false, true), (true, false), (true, true)] {
            let besides = Besides { is_split: besides.0, are_made: besides.1 };
            let record = ExportRecord {
                label: "cat".to_owned(),
                labels: vec!["cat".to_owned()],
                consent: vec!["noted c2pa file manifest".to_owned()],
                width: 2,
                split: besides.is_split.then_some(SplitPart::Test),
                original: besides.are_made.then(|| original.clone()),
                ..ExportRecord::default()
            };
            let text = record.json();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let mut end = 0;
            for Column { name, kind, cell, .. } in columns(besides) {
                end += text[end..].find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}"));
                let value = match cell(&record) {
                    Cell::Text(text) => serde_json::json!(text),
                    Cell::Texts(texts) => serde_json::json!(texts),
                    Cell::Integer(number) => serde_json::json!(number),
                };
                assert_eq!(json[name], value, "{name}");
                let is_kind = match kind {
                    Kind::Text => value.is_string() || value.is_null(),
                    Kind::Texts => value.is_array(),
                    Kind::Integer => value.is_u64() || value.is_null(),
                };
                assert!(is_kind, "{name}");
            }
            assert_eq!(json.as_object().unwrap().len(), columns(besides).count());
        }
    }
}
