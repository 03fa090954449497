//! What is asked of a new export.

use serde_json::Value;

use crate::{
    model::{Derivative, DerivedFormat, ExportFormat, ExportOptions, ExportOrder, Fit, Split},
    services::{
        form::Form,
        violation::{Violation, Violations},
    },
};

/// Most pictures of a shard.
const SHARD_IMAGES: std::ops::RangeInclusive<i64> = 1..=1_000_000;
/// Most bytes of a shard: from 1 MiB to 64 GiB.
const SHARD_BYTES: std::ops::RangeInclusive<i64> = 1 << 20..=64 << 30;
/// Largest seed: programs that know numbers with a floating point only read it exactly.
const LARGEST_SEED: i64 = (1 << 53) - 1;

/// A new export as it is asked for, read like a [`JobRequest`](crate::services::create::JobRequest).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    format: Option<String>,
    order: Option<String>,
    seed: Option<i64>,
    split: Option<SplitRequest>,
    shard_images: Option<i64>,
    shard_bytes: Option<i64>,
    parquet_beside: Option<bool>,
    pictures: Option<PicturesRequest>,
    misread: Violations,
}

/// How they are to be divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SplitRequest {
    train: Option<i64>,
    validation: Option<i64>,
    test: Option<i64>,
}

/// What is to be made of the pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PicturesRequest {
    width: Option<i64>,
    height: Option<i64>,
    fit: Option<String>,
    enlarge: Option<bool>,
    format: Option<String>,
    quality: Option<i64>,
}

impl From<Value> for ExportRequest {
    fn from(body: Value) -> Self {
        let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
        let (has_pictures, has_split) = (has("pictures"), has("split"));
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            format: form.text("format"),
            order: form.text("order"),
            seed: form.number("seed"),
            shard_images: form.number("shard_images"),
            shard_bytes: form.number("shard_bytes"),
            parquet_beside: form.boolean("parquet_beside"),
            ..Self::default()
        };
        let mut shares = form.object_of("split", &["train", "validation", "test"]);
        let split = SplitRequest {
            train: shares.number("train"),
            validation: shares.number("validation"),
            test: shares.number("test"),
        };
        shares.end();
        let fields = ["width", "height", "fit", "enlarge", "format", "quality"];
        let mut pictures = form.object_of("pictures", &fields);
        let wanted = PicturesRequest {
            width: pictures.number("width"),
            height: pictures.number("height"),
            fit: pictures.text("fit"),
            enlarge: pictures.boolean("enlarge"),
            format: pictures.text("format"),
            quality: pictures.number("quality"),
        };
        pictures.end();
        form.end();
        request.pictures = has_pictures.then_some(wanted);
        request.split = has_split.then_some(split);
        request.misread = misread;
        request
    }
}

impl ExportRequest {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<(ExportFormat, ExportOptions), Vec<Violation>> {
        let mut report = self.misread.clone();
        if self.format.is_none() {
            report.broken("/format", "is required");
        }
        let named =
            |name: &String| ExportFormat::named(name).filter(|format| *format != ExportFormat::Folder);
        let format = self.format.as_ref().map(named);
        if format == Some(None) {
            let names: Vec<&str> = ExportFormat::ALL[1..].iter().copied().map(ExportFormat::name).collect();
            report.broken("/format", format!("must be one of {}", names.join(", ")));
        }
        let format = format.flatten().unwrap_or(ExportFormat::Zip);
        let order = self.order.as_deref().map(|order| one_of(&ORDERS, order));
        if order == Some(None) {
            report.broken("/order", "must be label or shuffled");
        }
        let shard_images = report.number("/shard_images", self.shard_images, SHARD_IMAGES);
        let shard_bytes = report.number("/shard_bytes", self.shard_bytes, SHARD_BYTES);
        let seed = report.number("/seed", self.seed, -LARGEST_SEED..=LARGEST_SEED);
        let split = self.split.as_ref().map(|split| split.check(&mut report));
        let pictures = self.pictures.as_ref().map(|pictures| pictures.check(&mut report));
        if pictures.is_some() && !format.has_pictures() {
            report.broken(
                "/pictures",
                format!("must not be given for {}: no pictures are in it", format.name()),
            );
        }
        let parquet_beside = self.parquet_beside.unwrap_or_default();
        if parquet_beside && format != ExportFormat::Webdataset {
            report.broken("/parquet_beside", "is for webdataset only");
        }
        report.into_result()?;
        let options = ExportOptions {
            pictures,
            order: order.flatten().unwrap_or_default(),
            seed: seed.unwrap_or_default(),
            split,
            shard_images,
            shard_bytes,
            parquet_beside,
        };
        Ok((format, options))
    }
}

const ORDERS: [(&str, ExportOrder); 2] = [("label", ExportOrder::Label), ("shuffled", ExportOrder::Shuffled)];
const FITS: [(&str, Fit); 4] = [
    ("keep-ratio", Fit::KeepRatio),
    ("center-crop", Fit::CenterCrop),
    ("border", Fit::Border),
    ("none", Fit::None),
];
const FORMATS: [(&str, DerivedFormat); 3] =
    [("jpeg", DerivedFormat::Jpeg), ("png", DerivedFormat::Png), ("webp", DerivedFormat::Webp)];

impl SplitRequest {
    fn check(&self, report: &mut Violations) -> Split {
        let mut share = |pointer: &str, share: Option<i64>| -> u8 {
            if share.is_none() {
                report.broken(pointer, "is required");
            }
            report.number(pointer, share, 0..=100).unwrap_or_default()
        };
        let split = Split {
            train: share("/split/train", self.train),
            validation: share("/split/validation", self.validation),
            test: share("/split/test", self.test),
        };
        // One that is no share has been told of.
        let given = [self.train, self.validation, self.test];
        let are_shares = given.iter().all(|share| share.is_some_and(|share| (0..=100).contains(&share)));
        if are_shares && given.into_iter().flatten().sum::<i64>() != 100 {
            report.broken("/split", "must add up to 100");
        }
        split
    }
}

impl PicturesRequest {
    fn check(&self, report: &mut Violations) -> Derivative {
        let fit = self.fit.as_deref().map(|fit| one_of(&FITS, fit));
        if fit == Some(None) {
            report.broken("/pictures/fit", "must be keep-ratio, center-crop, border or none");
        }
        let fit = fit.flatten().unwrap_or_default();
        let format = self.format.as_deref().map(|format| one_of(&FORMATS, format));
        if format == Some(None) {
            report.broken("/pictures/format", "must be jpeg, png or webp");
        }
        let mut side = |pointer: &str, side: Option<i64>| {
            if side.is_none() && fit != Fit::None {
                report.broken(pointer, "is required, unless fit is none");
            }
            report.number(pointer, side, 1..=i64::from(Derivative::LARGEST)).unwrap_or_default()
        };
        let (width, height) = (side("/pictures/width", self.width), side("/pictures/height", self.height));
        let quality = report.number("/pictures/quality", self.quality, 1..=100);
        if self.quality.is_some() && format.flatten().is_some_and(|format| format != DerivedFormat::Jpeg) {
            report.broken("/pictures/quality", "is for JPEG: PNG and WebP lose nothing");
        }
        Derivative {
            width,
            height,
            fit,
            enlarge: self.enlarge.unwrap_or_default(),
            format: format.flatten().unwrap_or_default(),
            quality: quality.unwrap_or(Derivative::QUALITY),
        }
    }
}

fn one_of<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
