//! Exports: snapshots of what a dataset has kept, packed so that others can read it.

use serde::{Deserialize, Serialize};

use super::{Derivative, Format, ImageId, Provenance, Scores, Sha256};

/// How an export is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Class folders with `metadata.jsonl`, written to a disk; only on the command line.
    Folder,
    /// The same in one archive.
    Zip,
    /// Tar archives of pictures with a JSON file each.
    Webdataset,
    /// Tables with the bytes of the pictures inside.
    Parquet,
    /// A table of labels and provenance.
    Csv,
    /// One array of records.
    Json,
    /// A record a line.
    Jsonl,
    /// A list of records.
    Yaml,
    /// Address and label of each, a tab between.
    Txt,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Folder,
        Self::Zip,
        Self::Webdataset,
        Self::Parquet,
        Self::Csv,
        Self::Json,
        Self::Jsonl,
        Self::Yaml,
        Self::Txt,
    ];

    /// As stored and asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Zip => "zip",
            Self::Webdataset => "webdataset",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Yaml => "yaml",
            Self::Txt => "txt",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether pictures are in it, and not only what is known of them.
    #[must_use]
    pub const fn has_pictures(self) -> bool {
        matches!(self, Self::Folder | Self::Zip | Self::Webdataset | Self::Parquet)
    }
}

/// What is asked of an export besides its format.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExportOptions {
    /// What the pictures are made into; none leaves the originals, byte for byte.
    pub pictures: Option<Derivative>,
    /// How the pictures follow one another.
    pub order: ExportOrder,
    /// Of the order, where that is shuffled, and of the split.
    pub seed: i64,
    /// How the pictures are divided for training and testing; none leaves them together.
    pub split: Option<Split>,
    /// Most pictures of a shard; none leaves it to the format, see [`ExportOptions::most_images`].
    pub shard_images: Option<u32>,
    /// Most bytes of pictures of a shard, as stored; none leaves it to the format, see
    /// [`ExportOptions::most_bytes`].
    pub shard_bytes: Option<u64>,
    /// Webdataset only: a Parquet table of the records beside each archive, of the same stem.
    pub parquet_beside: bool,
}

impl ExportOptions {
    /// Most pictures of a shard in this format.
    #[must_use]
    pub fn most_images(&self, format: ExportFormat) -> u32 {
        let by_format = match format {
            ExportFormat::Webdataset | ExportFormat::Parquet => 10_000,
            _ => u32::MAX,
        };
        self.shard_images.unwrap_or(by_format)
    }

    /// Most bytes of pictures of a shard in this format, as stored. One picture is in it, however large.
    #[must_use]
    pub fn most_bytes(&self, format: ExportFormat) -> u64 {
        let by_format = match format {
            ExportFormat::Webdataset => 1 << 30,
            ExportFormat::Parquet => 512_000_000,
            _ => u64::MAX,
        };
        self.shard_bytes.unwrap_or(by_format)
    }
}

/// Shares of an export, in percent; together they are all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// To learn from.
    pub train: u8,
    /// To choose by while learning.
    pub validation: u8,
    /// To judge by in the end.
    pub test: u8,
}

impl Split {
    /// The share of a part, in percent.
    #[must_use]
    pub const fn share(self, part: SplitPart) -> u8 {
        match part {
            SplitPart::Train => self.train,
            SplitPart::Validation => self.validation,
            SplitPart::Test => self.test,
        }
    }
}

/// A part of an export that is split. Their order is that of their pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitPart {
    /// To learn from.
    Train,
    /// To choose by while learning.
    Validation,
    /// To judge by in the end.
    Test,
}

impl SplitPart {
    /// Every part, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// As loaders of datasets call it, and its folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The part of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// How the pictures of an export follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportOrder {
    /// By the first label, then by hash.
    #[default]
    Label,
    /// By the hash of the seed and the picture's hash.
    Shuffled,
}

/// What is in a file of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFileKind {
    /// Class folders in an archive.
    Zip,
    /// Pictures with a JSON file each.
    Tar,
    /// A table with the bytes of the pictures.
    Parquet,
    /// A table of records only.
    Table,
    /// Records as text, in the format of the export.
    Labels,
    /// Whom to name.
    Attribution,
    /// What it is, for people.
    Card,
}

impl ExportFileKind {
    const ALL: [Self; 7] =
        [Self::Zip, Self::Tar, Self::Parquet, Self::Table, Self::Labels, Self::Attribution, Self::Card];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::Parquet => "parquet",
            Self::Table => "table",
            Self::Labels => "labels",
            Self::Attribution => "attribution",
            Self::Card => "card",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it lies beside the data and is none of it.
    #[must_use]
    pub const fn is_document(self) -> bool {
        matches!(self, Self::Attribution | Self::Card)
    }

    /// Whether a file of this kind has to be made before it can be given; any other one follows from the rows
    /// of its pictures.
    #[must_use]
    pub const fn is_made(self, options: &ExportOptions) -> bool {
        match self {
            Self::Parquet | Self::Table => true,
            Self::Zip | Self::Tar => options.pictures.is_some(),
            Self::Labels | Self::Attribution | Self::Card => false,
        }
    }
}

/// One picture of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportItem {
    /// From 0, in the order of the export. What is taken out later leaves a gap.
    pub position: i32,
    /// Whose row it was.
    pub image: ImageId,
    /// Of the bytes; names the object with `format`.
    pub sha256: Sha256,
    /// Of the bytes.
    pub format: Format,
    /// In bytes.
    pub size: u64,
    /// CRC-32 of the bytes, as in zip archives; none where it is not known and not needed.
    pub crc32: Option<u32>,
    /// What is known of it.
    pub record: ExportRecord,
}

/// What is known of a picture: a line of `metadata.jsonl`, whose keys have this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRecord {
    /// Its path among the class folders, under the key that dataset loaders of the image-folder kind look for.
    /// Where the export is split, these are in the folder of the part: see [`ExportRecord::path`].
    pub file_name: String,
    /// Class of the image: that of its folder.
    pub label: String,
    /// All its classes, that one first, the rest sorted.
    pub labels: Vec<String>,
    /// The source's own words for what it shows.
    pub tags: Vec<String>,
    /// Where it came from.
    pub url: String,
    /// The address that was asked first, where that is another.
    pub asked_url: Option<String>,
    /// Which plugin.
    pub source: Option<String>,
    /// What the source says of it.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// What its owner says of its use by machines: see [`ConsentSignal::texts`]. Empty where nothing was read or
    /// nobody looked, and in exports that were fixed before records had it.
    ///
    /// [`ConsentSignal::texts`]: super::ConsentSignal::texts
    #[serde(default)]
    pub consent: Vec<String>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Perceptual hash by PDQ, in hexadecimal.
    pub pdq: Option<String>,
    /// How good it looks.
    #[serde(flatten)]
    pub scores: Scores,
    /// The part that it is in: there is such a key only where the export is split.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub split: Option<SplitPart>,
    /// Of the original that a picture was made of: there are keys of it only then.
    #[serde(flatten)]
    pub original: Option<OriginalPicture>,
}

/// What a picture was made of, where it is not the original.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalPicture {
    /// In pixels.
    pub original_width: u32,
    /// In pixels.
    pub original_height: u32,
    /// In hexadecimal.
    pub original_sha256: String,
    /// In bytes.
    pub original_size: u64,
}

impl ExportRecord {
    /// Its path in a folder or archive with all pictures.
    #[must_use]
    pub fn path(&self) -> String {
        match self.split {
            None => self.file_name.clone(),
            Some(part) => format!("{}/{}", part.name(), self.file_name),
        }
    }

    /// Path of the picture that is made of this one in another format.
    #[must_use]
    pub fn made_file_name(&self, format: Format) -> String {
        let stem = self.file_name.rsplit_once('.').map_or(self.file_name.as_str(), |(stem, _)| stem);
        format!("{stem}.{}", format.extension())
    }

    /// A line of JSON, without its end.
    #[must_use]
    pub fn json(&self) -> String {
        // Strings and numbers: nothing that JSON has no words for.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let plain = ExportRecord {
            file_name: "cat/ab.jpg".to_owned(),
            label: "cat".to_owned(),
            labels: vec!["cat".to_owned(), "animal".to_owned()],
            ..ExportRecord::default()
        };
        let original = OriginalPicture {
            original_width: 4,
            original_height: 3,
            original_sha256: "ab".to_owned(),
            original_size: 5,
        };
        let made = ExportRecord { original: Some(original), ..plain.clone() };
        for record in [&plain, &made] {
            assert_eq!(serde_json::from_str::<ExportRecord>(&record.json()).unwrap(), *record);
        }
        assert!(
            plain.json().starts_with(r#"{"file_name":"cat/ab.jpg","label":"cat","labels":["cat","animal"],"#)
        );
        // As records were before they had what owners say.
        let before = plain.json().replace(r#""consent":[],"#, "");
        assert_ne!(before, plain.json());
        assert_eq!(serde_json::from_str::<ExportRecord>(&before).unwrap(), plain);
        assert!(!plain.json().contains("original") && made.json().contains(r#""original_size":5"#));
    }

    #[test]
    fn options_are_what_they_say() {
        let options: ExportOptions = serde_json::from_str(r#"{"shard_images": 5}"#).unwrap();
        assert_eq!(options.most_images(ExportFormat::Zip), 5);
        assert_eq!(options.most_bytes(ExportFormat::Parquet), 512_000_000);
        assert!(serde_json::from_str::<ExportOptions>(r#"{"shards": 5}"#).is_err());
        assert!(ExportFormat::ALL.iter().all(|format| ExportFormat::named(format.name()) == Some(*format)));
    }
}
