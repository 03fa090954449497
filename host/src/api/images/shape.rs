//! What an image looks like in an answer.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde_json::Value;
use uuid::Uuid;

use super::{example_id, file_path, thumbnail_path};
use crate::{
    api::{jobs, nullable::Nullable, provenance::ProvenanceFields},
    app::App,
    auth::link::{LIFETIME, LinkHolder},
    db, model,
};

/// What became of an image.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::Verdict", rename_all = "lowercase")]
pub(in crate::api) enum ImageVerdict {
    /// In the dataset.
    Kept,
    /// Not a sound picture, or against the job's rules; `reason` says which.
    Refused,
    /// Like another picture of the dataset; `duplicate_of` says which.
    Duplicate,
}

/// What a picture is, by its bytes.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::Format", rename_all = "lowercase")]
enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG, APNG included.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
}

/// In which vocabulary something is said of the use of a picture.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::ConsentVocabulary", rename_all = "kebab-case")]
enum ConsentVocabulary {
    /// `noai` or `noimageai`, for robots.
    Noai,
    /// `Content-Usage`, AI preferences of the IETF.
    ContentUsage,
    /// `Content-Signal` in robots.txt.
    ContentSignal,
    /// `tdm-reservation`, of the TDM Reservation Protocol.
    TdmReservation,
    /// `plus:DataMining`, of PLUS and IPTC.
    DataMining,
    /// `Iptc4xmpExt:DigitalSourceType`, of IPTC.
    DigitalSourceType,
    /// A C2PA manifest, of which nothing but its presence is read.
    C2pa,
    /// An XMP packet that cannot be read.
    Xmp,
}

/// Where something is said of the use of a picture.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::ConsentPlace", rename_all = "kebab-case")]
enum ConsentPlace {
    /// In a robots.txt.
    RobotsTxt,
    /// In a `/.well-known/tdmrep.json`.
    TdmrepJson,
    /// In the header of the answer with the picture.
    Header,
    /// In the file.
    File,
    /// In the header of the answer with its page.
    PageHeader,
    /// In a `meta` element of its page.
    PageMeta,
}

/// What is said of AI training and of text and data mining.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::ConsentMeaning", rename_all = "lowercase")]
enum ConsentMeaning {
    /// They are reserved.
    Reserved,
    /// They are allowed.
    Allowed,
    /// The picture was made by a generative model, or partly.
    Generated,
    /// Neither.
    Noted,
    /// It breaks its own specification, and says nothing by that.
    Unreadable,
}

/// One thing that is said of the use of a picture.
#[derive(Object)]
struct ConsentSignal {
    /// In which vocabulary.
    signal: ConsentVocabulary,
    /// Where it was read.
    place: ConsentPlace,
    /// Address of that file or page; null for what is within the picture.
    url: Nullable<String>,
    /// As it is written there, at most 200 characters.
    value: String,
    /// What it says.
    meaning: ConsentMeaning,
    /// Address of the terms under which what is reserved may be had.
    policy: Nullable<String>,
}

impl From<model::ConsentSignal> for ConsentSignal {
    fn from(signal: model::ConsentSignal) -> Self {
        let model::ConsentSignal { signal, place, url, value, meaning, policy } = signal;
        Self {
            signal: signal.into(),
            place: place.into(),
            url: url.into(),
            value,
            meaning: meaning.into(),
            policy: policy.into(),
        }
    }
}

impl Example for ConsentSignal {
    fn example() -> Self {
        Self {
            signal: ConsentVocabulary::TdmReservation,
            place: ConsentPlace::TdmrepJson,
            url: Some("https://images.example.org/.well-known/tdmrep.json".to_owned()).into(),
            value: "0".to_owned(),
            meaning: ConsentMeaning::Allowed,
            policy: None.into(),
        }
    }
}

/// A row of `images`.
#[derive(Object)]
#[oai(example)]
pub(super) struct Image {
    /// Id of the image.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// The job that brought it.
    crawl_job_id: i32,
    /// Where it is.
    dataset_id: Nullable<i32>,
    /// The chunk of the job that brought it.
    chunk_id: Nullable<i32>,
    /// What became of it.
    verdict: ImageVerdict,
    /// Signed link to the bytes, for `<img>`; good for 15 minutes; null without bytes.
    url: Nullable<String>,
    /// Signed link to a small copy, for `<img>`; good for 15 minutes; null without bytes.
    thumbnail_url: Nullable<String>,
    /// The address it was downloaded from; of what was refused, the one that was asked first.
    original_url: String,
    /// The address that was asked first, where another copy of the picture was taken; null otherwise.
    /// `metadata.refused_copies` tells why.
    asked_url: Nullable<String>,
    /// `{sha256}.{ext}`; of what was refused, the last part of its address.
    filename: String,
    /// Path of the bytes, to be asked for with a token; null without bytes.
    storage_url: Nullable<String>,
    /// In pixels, as measured.
    width: Nullable<i32>,
    /// In pixels, as measured.
    height: Nullable<i32>,
    /// In bytes, as measured.
    file_size: Nullable<i32>,
    /// By its bytes.
    format: Nullable<ImageFormat>,
    /// SHA-256 of the bytes.
    hash: Nullable<String>,
    /// Perceptual hash (PDQ), 64 hexadecimal digits. Pictures that look alike differ in few of its 256 bits.
    pdq: Nullable<String>,
    /// How much there is to see by that hash, 0 to 100; what is below 50 says little.
    pdq_quality: Nullable<i16>,
    /// The hash of what is within uniform borders; null where there are none.
    pdq_trimmed: Nullable<String>,
    /// Mean luma: 0 is black, 100 is white.
    brightness: Nullable<i16>,
    /// Standard deviation of luma: 0 is one shade, 100 is half black and half white.
    contrast: Nullable<i16>,
    /// 0 to 100, by the energy of the Laplacian in the sharpest quarter of the picture, as if its longer side
    /// had 256 pixels; tenfold energy is 20 more.
    sharpness: Nullable<i16>,
    /// Quality at which a JPEG was encoded, by its quantization table, 1 to 100; null in other formats.
    jpeg_quality: Nullable<i16>,
    /// 1 for a still picture.
    frames: Nullable<i32>,
    /// Passed every check.
    is_valid: bool,
    /// Like another picture of the dataset.
    is_duplicate: bool,
    /// Id of that picture.
    duplicate_of: Nullable<i32>,
    /// Code of the refusal.
    reason: Nullable<String>,
    /// Id of the source.
    source: Nullable<String>,
    /// The source's own id of it.
    source_id: Nullable<String>,
    #[oai(flatten)]
    provenance: ProvenanceFields,
    /// In pixels, as the source says.
    declared_width: Nullable<i32>,
    /// In pixels, as the source says.
    declared_height: Nullable<i32>,
    /// Media type, as the source says.
    declared_mime: Nullable<String>,
    /// In bytes, as the source says.
    declared_size: Nullable<i64>,
    /// Its classes, that of its folder first.
    labels: Nullable<Vec<String>>,
    /// What its owner says of its use by machines, and where that was read; null where nobody looked.
    consent: Nullable<Vec<ConsentSignal>>,
    /// What has no column of its own: `detail` of a refusal in words, `tags` of the source, and
    /// `refused_copies`.
    metadata: Nullable<Any<Value>>,
    /// When it was downloaded.
    downloaded_at: DateTime<Utc>,
    /// When the row was made.
    created_at: DateTime<Utc>,
}

/// What changes of an image; the rest stays as it is.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct UpdateImage {
    /// Its classes, that of its folder first, each once.
    #[oai(validator(min_items = 1, max_items = 20, min_length = 1, max_length = 100))]
    labels: Option<Vec<String>>,
}

/// A page of images.
#[derive(Object)]
#[oai(example)]
pub(in crate::api) struct ImagePage {
    /// In the order in which they came.
    pub(super) items: Vec<Image>,
    /// `after` of the next page; null on the last.
    pub(super) next: Nullable<i32>,
}

impl Image {
    pub(super) fn new(row: db::images::ImageRow, app: &App, holder: LinkHolder, now: DateTime<Utc>) -> Self {
        let link =
            |path: String| row.storage_url.as_ref().map(|_| app.links.sign(&path, holder, now + LIFETIME));
        let (url, thumbnail_url) = (link(file_path(row.id)), link(thumbnail_path(row.id)));
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            crawl_job_id: row.crawl_job_id.0,
            dataset_id: row.dataset_id.map(|id| id.0).into(),
            chunk_id: row.chunk_id.map(|id| id.0).into(),
            verdict: row.verdict().into(),
            url: url.into(),
            thumbnail_url: thumbnail_url.into(),
            original_url: row.original_url,
            asked_url: row.asked_url.into(),
            filename: row.filename,
            storage_url: row.storage_url.into(),
            width: row.width.into(),
            height: row.height.into(),
            file_size: row.file_size.into(),
            format: row.format.as_deref().and_then(model::Format::named).map(ImageFormat::from).into(),
            hash: row.hash.into(),
            pdq: row.pdq.into(),
            pdq_quality: row.pdq_quality.into(),
            pdq_trimmed: row.pdq_trimmed.into(),
            brightness: row.scores.brightness.into(),
            contrast: row.scores.contrast.into(),
            sharpness: row.scores.sharpness.into(),
            jpeg_quality: row.scores.jpeg_quality.into(),
            frames: row.frames.into(),
            is_valid: row.is_valid,
            is_duplicate: row.is_duplicate,
            duplicate_of: row.duplicate_of.filter(|_| row.is_duplicate).map(|id| id.0).into(),
            reason: row.reason.into(),
            source: row.source.into(),
            source_id: row.source_id.into(),
            provenance: row.provenance.into(),
            declared_width: row.declared_width.into(),
            declared_height: row.declared_height.into(),
            declared_mime: row.declared_mime.into(),
            declared_size: row.declared_size.into(),
            labels: row.labels.map(|labels| labels.0.0).into(),
            consent: row
                .consent
                .map(|signals| signals.0.into_iter().map(ConsentSignal::from).collect())
                .into(),
            metadata: row.metadata.map(|metadata| Any(metadata.0)).into(),
            downloaded_at: row.downloaded_at.into(),
            created_at: row.created_at.into(),
        }
    }
}

impl Example for Image {
    fn example() -> Self {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let [path, small] = [file_path, thumbnail_path].map(|path| path(model::ImageId(example_id())));
        let provenance = model::Provenance {
            page_url: Some("https://images.example.org/red-panda".to_owned()),
            title: Some("Red panda".to_owned()),
            creator: Some("Ann Example".to_owned()),
            license: Some("cc-by-4.0".to_owned()),
            license_url: Some("https://creativecommons.org/licenses/by/4.0/".to_owned()),
            attribution: Some("“Red panda” by Ann Example, CC BY 4.0".to_owned()),
            ..model::Provenance::default()
        };
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            crawl_job_id: jobs::example_id(),
            dataset_id: Some(1).into(),
            chunk_id: Some(1).into(),
            verdict: ImageVerdict::Kept,
            url: Some(format!("{path}?user=…&expires=…&signature=…")).into(),
            thumbnail_url: Some(format!("{small}?user=…&expires=…&signature=…")).into(),
            original_url: "https://images.example.org/red-panda.jpg".to_owned(),
            asked_url: None.into(),
            filename: format!("{hash}.jpg"),
            storage_url: Some(path).into(),
            width: Some(1024).into(),
            height: Some(768).into(),
            file_size: Some(204_800).into(),
            format: Some(ImageFormat::Jpeg).into(),
            hash: Some(hash.to_owned()).into(),
            pdq: Some("c3a1f00fe0781e87".repeat(4)).into(),
            pdq_quality: Some(100).into(),
            pdq_trimmed: None.into(),
            brightness: Some(48).into(),
            contrast: Some(45).into(),
            sharpness: Some(67).into(),
            jpeg_quality: Some(85).into(),
            frames: Some(1).into(),
            is_valid: true,
            is_duplicate: false,
            duplicate_of: None.into(),
            reason: None.into(),
            source: Some("openverse".to_owned()).into(),
            source_id: Some("b1c2".to_owned()).into(),
            provenance: provenance.into(),
            declared_width: Some(1024).into(),
            declared_height: Some(768).into(),
            declared_mime: Some("image/jpeg".to_owned()).into(),
            declared_size: None.into(),
            labels: Some(vec!["panda".to_owned()]).into(),
            consent: Some(vec![ConsentSignal::example()]).into(),
            metadata: None.into(),
            downloaded_at: DateTime::UNIX_EPOCH,
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for UpdateImage {
    fn example() -> Self {
        Self { labels: Some(vec!["red panda".to_owned(), "mammal".to_owned()]) }
    }
}

impl Example for ImagePage {
    fn example() -> Self {
        Self { items: vec![Image::example()], next: None.into() }
    }
}
