//! Exports of datasets: what was kept at one moment, packed for others to read.

use std::io;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use poem::{
    IntoResponse, Request, Response,
    http::{Method, StatusCode, header},
    web::Data,
};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::{Binary, Json, Payload as _},
    registry::{MetaMediaType, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Example,
};
use uuid::Uuid;

use super::{
    PREFIX, Tag,
    bearer::{Access, AccessOrLink, DELETE, EXPORT_DATASETS, Link, READ_EXPORTS},
    body::JsonBody,
    compat::Gone,
    datasets,
    error::{BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, RANGE, SIGNED_IN},
    nullable::Nullable,
    ranges::{self, Conditions},
};
use crate::{
    app::App,
    auth::link::{DOWNLOAD_LIFETIME, LinkHolder},
    dataset::export::{CreateExportError, ExportFileError, OpenFile, delete_export},
    db::{
        self,
        exports::{ExportFileRow, ExportRow},
    },
    error::chain,
    model::{self, DatasetId, ExportId, UserId},
    services::exports::ExportRequest,
};

pub(super) struct ExportsApi;

/// What a dataset had kept at one moment.
#[derive(Object)]
#[oai(example)]
struct Export {
    /// Id of the export.
    id: i32,
    /// Of which dataset.
    dataset_id: i32,
    /// How it is packed.
    format: ExportFormat,
    /// What was asked besides.
    options: ExportOptions,
    /// How far it is.
    state: ExportState,
    /// Pictures in it.
    images: i32,
    /// Pictures that were taken out since.
    removed: i32,
    /// Rises when pictures are taken out.
    revision: i32,
    /// What it gives, in order: the data first.
    files: Vec<ExportFile>,
    /// All files, with lengths and hashes as far as they are known, as JSON.
    manifest_url: String,
    /// The export described for programs, by the vocabulary Croissant. It names the hashes that are known: get it
    /// when the export is complete.
    croissant_url: String,
    /// When the links end.
    expires_at: DateTime<Utc>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
}

/// A file of an export.
#[derive(Object)]
#[oai(example)]
struct ExportFile {
    /// Under which it is asked for.
    name: String,
    /// Its length; null until it is made.
    bytes: Nullable<u64>,
    /// SHA-256 in hexadecimal; null until it was read through.
    sha256: Nullable<String>,
    /// Pictures or records in it.
    images: i32,
    /// Pictures that were taken out of it.
    removed: i32,
    /// Rises when some are: a download of it begins anew then.
    revision: i32,
    /// Why it is not made, where that failed; or which pictures are left out because nothing could be made of them.
    error: Nullable<String>,
    /// Path with a signed link, which needs no token.
    url: String,
}

/// How far an export is.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
enum ExportState {
    /// A file is being made.
    Preparing,
    /// All files can be had.
    Available,
    /// And all their hashes are known.
    Complete,
}

/// How an export is packed.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
enum ExportFormat {
    /// Class folders with `metadata.jsonl` in an archive.
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

/// What was asked of an export besides its format.
#[derive(Object)]
struct ExportOptions {
    /// What the pictures are made into; null for the originals, byte for byte.
    pictures: Nullable<Pictures>,
    /// How they follow one another.
    order: ExportOrder,
    /// Of the order, where that is shuffled, and of the split.
    seed: i64,
    /// How they are divided for training and testing; null where they are not.
    split: Nullable<Split>,
    /// Most pictures of a shard; null leaves it to the format.
    shard_images: Nullable<u32>,
    /// Most bytes of the pictures of a shard, as stored; null leaves it to the format.
    shard_bytes: Nullable<u64>,
    /// A table of the records lies beside each archive.
    parquet_beside: bool,
}

/// How the pictures of an export follow one another.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
enum ExportOrder {
    /// By the first label, then by hash.
    Label,
    /// By chance, the same for the same seed.
    Shuffled,
}

/// Shares of an export in percent, of 100 together. Each label is shared out like the whole, and pictures that look
/// alike are in one part.
#[derive(Clone, Object)]
#[oai(rename = "ExportSplit", deny_unknown_fields)]
struct Split {
    /// To learn from.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    train: u8,
    /// To choose by while learning.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    validation: u8,
    /// To judge by in the end.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    test: u8,
}

/// What pictures are made into.
#[derive(Clone, Object)]
#[oai(rename = "ExportPictures")]
struct Pictures {
    /// Of the box, in pixels; 0 where `fit` is `none`.
    width: u32,
    /// Of the box, in pixels; 0 where `fit` is `none`.
    height: u32,
    /// How they get into the box.
    fit: Fit,
    /// Whether smaller ones are made larger.
    enlarge: bool,
    /// How they are encoded.
    format: PictureFormat,
    /// Of `jpeg`; the others lose nothing.
    quality: u8,
}

/// How a picture gets into a box.
#[derive(Clone, Enum)]
#[oai(rename_all = "kebab-case")]
enum Fit {
    /// As large as the box allows, with the ratio that it has.
    KeepRatio,
    /// Fills the box; what sticks out is cut off.
    CenterCrop,
    /// As large as the box allows, in the middle of a box whose rest is white.
    Border,
    /// Keeps its size and is only encoded anew.
    None,
}

/// Formats that pictures are made in.
#[derive(Clone, Enum)]
#[oai(rename = "ExportPictureFormat", rename_all = "lowercase")]
enum PictureFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

/// A new export.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct CreateExport {
    /// How it is packed.
    format: ExportFormat,
    /// How the pictures follow one another; `label` by default.
    order: Option<ExportOrder>,
    /// Of the order, where that is shuffled, and of the split; 0 by default.
    #[oai(validator(minimum(value = "-9007199254740991"), maximum(value = "9007199254740991")))]
    seed: Option<i64>,
    /// How they are divided for training and testing; not at all by default.
    split: Option<Split>,
    /// Most pictures of a shard; by default 10 000 for `webdataset` and `parquet`, and as many as there are for
    /// the rest.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    shard_images: Option<i64>,
    /// Most bytes of the pictures of a shard, as stored; by default 1 GiB for `webdataset` and 512 MB for
    /// `parquet`.
    #[oai(validator(minimum(value = "1048576"), maximum(value = "68719476736")))]
    shard_bytes: Option<i64>,
    /// Only for `webdataset`: a table of the records beside each archive, as `NeMo` Curator reads it.
    parquet_beside: Option<bool>,
    /// What the pictures are made into; the originals by default, byte for byte.
    pictures: Option<MakePictures>,
}

/// What pictures are to be made into.
#[derive(Object)]
#[oai(deny_unknown_fields, skip_serializing_if_is_none)]
struct MakePictures {
    /// Of the box, in pixels; needed unless `fit` is `none`.
    #[oai(validator(minimum(value = "1"), maximum(value = "8192")))]
    width: Option<i64>,
    /// Of the box, in pixels; needed unless `fit` is `none`.
    #[oai(validator(minimum(value = "1"), maximum(value = "8192")))]
    height: Option<i64>,
    /// How they get into the box; `keep-ratio` by default.
    fit: Option<Fit>,
    /// Whether smaller ones are made larger; they are not by default.
    enlarge: Option<bool>,
    /// How they are encoded; `jpeg` by default.
    format: Option<PictureFormat>,
    /// Of `jpeg`, and of no other; 90 by default.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    quality: Option<i64>,
}

/// The exports of a dataset.
#[derive(Object)]
#[oai(example)]
struct ExportList {
    /// Newest first; there are at most 20.
    items: Vec<Export>,
}

#[derive(ApiResponse)]
enum ExportCreated {
    /// The export is there.
    #[oai(status = 201)]
    Now(Json<Export>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/datasets", tag = "Tag::Exports")]
impl ExportsApi {
    /// Export a dataset
    ///
    /// Fixes what the dataset has kept by now: the same pictures, options and seed give the same bytes, whoever
    /// exports them. What is kept later is not in it; what is deleted is taken out of it, too. Archives of
    /// originals and label files can be had at once; tables, and all files whose pictures are made of others, are
    /// made in the background.
    #[oai(path = "/:id/exports", method = "post", operation_id = "createExport")]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<EXPORT_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        body: JsonBody<CreateExport>,
    ) -> Result<ExportCreated, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND | CONFLICT }>> {
        let dataset = DatasetId(id);
        let request = ExportRequest::from(body.value);
        let export = app.create_export(caller.user, dataset, &request).await?;
        let shown = find(app, caller.holder(), dataset, export).await?;
        Ok(ExportCreated::Now(Json(shown), path(dataset, export)))
    }

    /// List the exports of a dataset
    ///
    /// Newest first.
    #[oai(path = "/:id/exports", method = "get", operation_id = "listExports")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_EXPORTS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<ExportList>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let dataset = DatasetId(id);
        db::datasets::detail(&app.db, caller.user, dataset).await?.ok_or_else(datasets::not_found)?;
        let mut items = Vec::new();
        for row in db::exports::list(&app.db, caller.user, dataset).await? {
            items.push(show(app, caller.holder(), row).await?);
        }
        Ok(Json(ExportList { items }))
    }

    /// Show an export
    ///
    /// With its files: lengths of what follows from rows are known at once, hashes when the file was read through
    /// in the background.
    #[oai(path = "/:id/exports/:export_id", method = "get", operation_id = "getExport")]
    async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_EXPORTS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        /// Id of the export.
        #[oai(example = "example_id")]
        Path(export_id): Path<i32>,
    ) -> Result<Json<Export>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(find(app, caller.holder(), DatasetId(id), ExportId(export_id)).await?))
    }

    /// Delete an export
    ///
    /// The pictures stay in the dataset.
    #[oai(path = "/:id/exports/:export_id", method = "delete", operation_id = "deleteExport")]
    async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        /// Id of the export.
        #[oai(example = "example_id")]
        Path(export_id): Path<i32>,
    ) -> Result<Json<Gone>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let (user, dataset, export) = (caller.user, DatasetId(id), ExportId(export_id));
        if delete_export(&app.db, &app.store, user, dataset, export).await? {
            Ok(Json(Gone::default()))
        } else {
            Err(not_found().into())
        }
    }

    /// Get a file of an export
    ///
    /// Use its `url` where no token can be sent. `Range`, `If-Range` and `If-None-Match` are understood: a
    /// download that was cut goes on where it was, with `If-Range` and the `ETag` that it had. Where pictures were
    /// taken out meanwhile, that gives the whole new file. An answer that breaks off was not whole. The names
    /// `manifest.json` and `croissant.json` are always there.
    #[oai(path = "/:id/exports/:export_id/:file", method = "get", operation_id = "getExportFile")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn file(
        &self,
        Data(app): Data<&App>,
        request: &Request,
        access: AccessOrLink<EXPORT_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        /// Id of the export.
        #[oai(example = "example_id")]
        Path(export_id): Path<i32>,
        /// Name of the file.
        #[oai(example = "example_name")]
        Path(file): Path<String>,
        /// Of a signed link.
        Query(user): Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        Query(key): Query<Option<Uuid>>,
        /// Of a signed link.
        Query(expires): Query<Option<i64>>,
        /// Of a signed link.
        Query(signature): Query<Option<String>>,
        /// ETags that the client has.
        #[oai(name = "If-None-Match")]
        Header(if_none_match): Header<Option<String>>,
        /// Only with this ETag does `Range` count.
        #[oai(name = "If-Range")]
        Header(if_range): Header<Option<String>>,
        /// One range of bytes; several are answered with the whole.
        #[oai(name = "Range")]
        Header(range): Header<Option<String>>,
    ) -> Result<File, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND | CONFLICT | RANGE }>> {
        let (dataset, export) = (DatasetId(id), ExportId(export_id));
        let path = format!("{}/{file}", path(dataset, export));
        let reader = access.reader(app, &path, &Link { user, key, expires, signature }).await?;
        let user = reader.holder.user;
        let opened = app.open_export_file(user, dataset, export, &file).await?;
        let opened = opened.ok_or_else(|| Problem::not_found("file of an export"))?;
        let conditions = Conditions { if_none_match, if_range, range };
        Ok(File::get(app, user, opened, &file, &conditions, request.method()).await?)
    }
}

fn path(dataset: DatasetId, export: ExportId) -> String {
    format!("{PREFIX}/datasets/{dataset}/exports/{export}")
}

async fn find(
    app: &App,
    holder: LinkHolder,
    dataset: DatasetId,
    export: ExportId,
) -> Result<Export, Problem> {
    let row = db::exports::show(&app.db, holder.user, dataset, export).await?.ok_or_else(not_found)?;
    show(app, holder, row).await
}

async fn show(app: &App, holder: LinkHolder, row: ExportRow) -> Result<Export, Problem> {
    let files = app.export_files(&row).await?;
    let state = if files.iter().any(|file| file.length.is_none()) {
        ExportState::Preparing
    } else if files.iter().any(|file| file.sha256.is_none()) {
        ExportState::Available
    } else {
        ExportState::Complete
    };
    let until = Utc::now() + DOWNLOAD_LIFETIME;
    let folder = path(row.dataset, row.id);
    let link = |name: &str| app.links.sign(&format!("{folder}/{name}"), holder, until);
    let file = |file: ExportFileRow| ExportFile {
        url: link(&file.name),
        name: file.name,
        bytes: file.length.into(),
        sha256: file.sha256.map(|sha256| sha256.to_string()).into(),
        images: file.images - file.removed,
        removed: file.removed,
        revision: file.revision,
        error: file.error.into(),
    };
    Ok(Export {
        id: row.id.0,
        dataset_id: row.dataset.0,
        format: row.format.into(),
        options: row.options.into(),
        state,
        images: row.images - row.removed,
        removed: row.removed,
        revision: row.revision,
        files: files.into_iter().map(file).collect(),
        manifest_url: link("manifest.json"),
        croissant_url: link("croissant.json"),
        expires_at: until,
        created_at: row.created_at,
    })
}

fn not_found() -> Problem {
    Problem::not_found("export")
}

/// Id of the export in all examples.
const fn example_id() -> i32 {
    1
}

fn example_name() -> String {
    "data-00000.tar".to_owned()
}

/// A file, a part of it, or the word that the client has it.
pub(super) struct File(Response);

impl File {
    /// Sends it to a user under this name.
    pub(super) async fn get(
        app: &App,
        user: UserId,
        file: OpenFile,
        name: &str,
        conditions: &Conditions,
        method: &Method,
    ) -> Result<Self, Problem> {
        let response = Self::answer(file, name, conditions, method).await?;
        let traffic = app.user_traffic.clone();
        Ok(Self(ranges::counted(response, move |bytes| traffic.sent(user, bytes))))
    }

    async fn answer(
        file: OpenFile,
        name: &str,
        conditions: &Conditions,
        method: &Method,
    ) -> Result<Response, Problem> {
        let (tag, size) = (file.tag.clone(), file.length);
        // It may have another revision the next time.
        let head = ranges::head(&tag, "private, no-cache");
        if conditions.has(&tag) {
            return Ok(head.status(StatusCode::NOT_MODIFIED).finish());
        }
        let head = head
            .content_type(media_type(name))
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
        let part = conditions.part(&tag, size)?;
        if *method == Method::HEAD {
            return Ok(ranges::answer(head, part, size, stream::empty()));
        }
        let range = part.clone().unwrap_or(0..size);
        let mut bytes = file.bytes(range).await?;
        // What fails at once is told; later the connection is closed in the middle.
        let first = bytes.try_next().await?;
        let broken = |error: ExportFileError| {
            tracing::warn!(error = %chain(&error), "a file of an export breaks off");
            io::Error::other(error)
        };
        let bytes = stream::iter(first.map(Ok)).chain(bytes).map_err(broken);
        Ok(ranges::answer(head, part, size, bytes))
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "zip" => "application/zip",
        "tar" => "application/x-tar",
        "parquet" => "application/vnd.apache.parquet",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "yaml" => "application/yaml",
        "md" => "text/markdown; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for File {
    fn meta() -> MetaResponses {
        let tag = || ranges::meta_header("ETag", "Of the file in this revision.");
        let media = |content_type, schema| MetaMediaType { content_type, schema };
        let bytes = || {
            vec![
                media("application/*", Binary::<Vec<u8>>::schema_ref()),
                media("application/json", MetaSchemaRef::Inline(Box::new(MetaSchema::ANY))),
                media("text/*", Binary::<Vec<u8>>::schema_ref()),
            ]
        };
        let range = ranges::meta_header("Content-Range", "Which bytes these are.");
        let responses = vec![
            ranges::meta_answer(200, "The file.", bytes(), vec![tag()]),
            ranges::meta_answer(206, "Some of its bytes.", bytes(), vec![tag(), range]),
            ranges::meta_answer(304, "The client has it.", Vec::new(), vec![tag()]),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}

impl From<CreateExportError> for Problem {
    fn from(error: CreateExportError) -> Self {
        match error {
            CreateExportError::NotFound => datasets::not_found(),
            CreateExportError::Rules(broken) => Self::rules(broken),
            CreateExportError::TooMany(..) => {
                Self::new(ProblemCode::TooManyExports, format!("{}.", sentence(&error.to_string())))
            }
            CreateExportError::Busy => Self::export_not_ready(
                "Other exports are being made; ask again.",
                std::time::Duration::from_secs(1),
            ),
            CreateExportError::Measuring => Self::export_not_ready(
                "Checksums of pictures that an earlier version kept are being read; ask again.",
                std::time::Duration::from_secs(1),
            ),
            CreateExportError::File(error) => error.into(),
            CreateExportError::Database(error) => error.into(),
            CreateExportError::Unmeasured => {
                Self::new(ProblemCode::StoreUnavailable, format!("{}.", sentence(&error.to_string())))
            }
            error @ CreateExportError::Export(_) => Self::internal(error),
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

impl From<model::ExportFormat> for ExportFormat {
    fn from(format: model::ExportFormat) -> Self {
        match format {
            model::ExportFormat::Folder | model::ExportFormat::Zip => Self::Zip,
            model::ExportFormat::Webdataset => Self::Webdataset,
            model::ExportFormat::Parquet => Self::Parquet,
            model::ExportFormat::Csv => Self::Csv,
            model::ExportFormat::Json => Self::Json,
            model::ExportFormat::Jsonl => Self::Jsonl,
            model::ExportFormat::Yaml => Self::Yaml,
            model::ExportFormat::Txt => Self::Txt,
        }
    }
}

impl From<model::ExportOptions> for ExportOptions {
    fn from(options: model::ExportOptions) -> Self {
        Self {
            pictures: options.pictures.map(Pictures::from).into(),
            order: match options.order {
                model::ExportOrder::Label => ExportOrder::Label,
                model::ExportOrder::Shuffled => ExportOrder::Shuffled,
            },
            seed: options.seed,
            split: options.split.map(Split::from).into(),
            shard_images: options.shard_images.into(),
            shard_bytes: options.shard_bytes.into(),
            parquet_beside: options.parquet_beside,
        }
    }
}

impl From<model::Split> for Split {
    fn from(model::Split { train, validation, test }: model::Split) -> Self {
        Self { train, validation, test }
    }
}

impl From<model::Derivative> for Pictures {
    fn from(made: model::Derivative) -> Self {
        let fit = match made.fit {
            model::Fit::KeepRatio => Fit::KeepRatio,
            model::Fit::CenterCrop => Fit::CenterCrop,
            model::Fit::Border => Fit::Border,
            model::Fit::None => Fit::None,
        };
        let format = match made.format {
            model::DerivedFormat::Jpeg => PictureFormat::Jpeg,
            model::DerivedFormat::Png => PictureFormat::Png,
            model::DerivedFormat::Webp => PictureFormat::Webp,
        };
        let model::Derivative { width, height, enlarge, quality, .. } = made;
        Self { width, height, fit, enlarge, format, quality }
    }
}

impl Example for Export {
    fn example() -> Self {
        let link = |name: &str| {
            let folder = path(DatasetId(datasets::example_id()), ExportId(example_id()));
            format!("{folder}/{name}?user=…&expires=…&signature=…")
        };
        Self {
            id: example_id(),
            dataset_id: datasets::example_id(),
            format: ExportFormat::Webdataset,
            options: model::ExportOptions::default().into(),
            state: ExportState::Available,
            images: 50,
            removed: 0,
            revision: 0,
            files: vec![ExportFile { url: link(&example_name()), ..ExportFile::example() }],
            manifest_url: link("manifest.json"),
            croissant_url: link("croissant.json"),
            expires_at: DateTime::UNIX_EPOCH,
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for ExportFile {
    fn example() -> Self {
        Self {
            name: example_name(),
            bytes: Some(52_480_512).into(),
            sha256: None.into(),
            images: 50,
            removed: 0,
            revision: 0,
            error: None.into(),
            url: "/api/v1/datasets/1/exports/1/data-00000.tar?user=…&expires=…&signature=…".to_owned(),
        }
    }
}

impl Example for ExportList {
    fn example() -> Self {
        Self { items: vec![Export::example()] }
    }
}

impl Example for CreateExport {
    fn example() -> Self {
        Self {
            format: ExportFormat::Webdataset,
            order: Some(ExportOrder::Shuffled),
            seed: Some(42),
            split: Some(model::Split { train: 80, validation: 10, test: 10 }.into()),
            shard_images: Some(1000),
            shard_bytes: None,
            parquet_beside: None,
            pictures: None,
        }
    }
}
