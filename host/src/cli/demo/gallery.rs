//! The web site that the demo crawls: painted pictures on linked pages, and among them
//! what goes wrong on real sites, so that every count of the crawl is known beforehand.

mod pages;
mod paint;
mod server;

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use image::{ImageError, ImageFormat};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::model::{Format, Refusal};

use server::{PlannedAnswer, ServedGallery, Site};

/// Where the site is for the crawler. The name is reserved; the demo maps this origin to
/// the address of [`ServedGallery`].
pub(in crate::cli) const ORIGIN: &str = "http://gallery.example";

/// Sound pictures that are painted, each once.
const PICTURES: u32 = 36;

/// A small web site in memory.
#[derive(Debug)]
pub(in crate::cli) struct Gallery {
    /// Pages, pictures, `robots.txt`.
    files: Site,
    /// Address of the first page; the others follow by `rel=next`.
    pub(in crate::cli) start: String,
    /// What a crawl of all pages must find.
    pub(in crate::cli) expected: Expected,
}

/// What a crawl of all pages must find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Expected {
    /// Pictures that are kept.
    pub(in crate::cli) kept: u32,
    /// Pictures with the same bytes as one that is kept, or that look like it.
    pub(in crate::cli) duplicates: u32,
    /// Those of them with other bytes.
    pub(in crate::cli) look_alikes: u32,
    /// Candidates refused, by code.
    pub(in crate::cli) refused: BTreeMap<Refusal, u32>,
}

/// A picture as a page shows it.
#[derive(Clone, Debug)]
struct Exhibit {
    /// Path of the picture itself.
    path: String,
    /// Path and width of a small copy.
    small: Option<(String, u32)>,
    title: String,
    width: u32,
    height: u32,
}

impl Gallery {
    /// Paints the pictures and writes the pages; always the same. Takes a second or two
    /// on two cores.
    ///
    /// # Errors
    /// When a picture cannot be encoded.
    pub(in crate::cli) fn generate() -> Result<Self, ImageError> {
        Self::with_exhibits().map(|(gallery, _)| gallery)
    }

    /// Serves the site on a free port of this machine, for as long as the answer is kept.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub(in crate::cli) async fn serve(&self) -> io::Result<ServedGallery> {
        ServedGallery::start(self.files.clone()).await
    }

    /// The site, and what its pages show.
    fn with_exhibits() -> Result<(Self, Vec<Exhibit>), ImageError> {
        let mut gallery =
            Self { files: BTreeMap::new(), start: format!("{ORIGIN}/"), expected: Expected::default() };
        let (mut exhibits, files): (Vec<_>, Vec<_>) = paint_all()?.into_iter().unzip();
        gallery.files.extend(files.into_iter().flatten());
        gallery.expected.kept += PICTURES;
        let troubles = gallery.plant(&exhibits)?;
        // Spread evenly, so that every page has some.
        let step = exhibits.len() / troubles.len();
        for (index, trouble) in troubles.into_iter().enumerate() {
            exhibits.insert((step + 1) * index + step / 2, trouble);
        }
        for (path, html) in pages::write(&exhibits) {
            gallery.files.insert(path, PlannedAnswer::new("text/html; charset=utf-8", html));
        }
        let robots = PlannedAnswer::new("text/plain", "User-agent: *\nDisallow: /private/\n");
        gallery.files.insert("/robots.txt".to_owned(), robots);
        Ok((gallery, exhibits))
    }

    /// Adds what is found on real sites beside sound pictures of one's own.
    fn plant(&mut self, exhibits: &[Exhibit]) -> Result<Vec<Exhibit>, ImageError> {
        let body = |at: usize| self.files[&exhibits[at].path].body.clone();
        let (first, second, third) = (body(0), body(1), body(2));
        let png =
            exhibits.iter().position(|exhibit| exhibit.path.ends_with(".png")).map_or_else(Bytes::new, body);
        let half = |bytes: &Bytes| bytes.slice(..bytes.len() * 3 / 5);
        let jpeg = Format::Jpeg.media_type();

        let mut planted = Vec::new();
        let mut plant = |path: &str, answer: PlannedAnswer| {
            self.files.insert(path.to_owned(), answer);
            let title = path.trim_start_matches('/').to_owned();
            planted.push(Exhibit { path: path.to_owned(), small: None, title, width: 800, height: 600 });
        };

        plant("/mirror/copy.jpg", PlannedAnswer::new(jpeg, first.clone()));
        plant("/download.php?id=17", PlannedAnswer::new(jpeg, second.clone()));
        plant("/latest.jpg", PlannedAnswer::redirect(302, &exhibits[2].path));
        self.expected.duplicates += 3;

        let mosaic = paint::mosaic(&mut SmallRng::seed_from_u64(7), 900, 600);
        let smaller = image::imageops::thumbnail(&mosaic, 600, 400);
        let mut framed = image::RgbImage::from_pixel(660, 460, image::Rgb([255; 3]));
        image::imageops::replace(&mut framed, &smaller, 30, 30);
        plant("/mosaic.jpg", PlannedAnswer::new(jpeg, paint::jpeg(&mosaic, 1)?));
        self.expected.kept += 1;
        plant("/mosaic-small.jpg", PlannedAnswer::new(jpeg, paint::small(&mosaic, 320)?));
        plant("/mosaic-framed.jpg", PlannedAnswer::new(jpeg, paint::jpeg(&framed, 1)?));
        let as_png = paint::encoded(&smaller, ImageFormat::Png)?;
        plant("/mosaic-as.png", PlannedAnswer::new(Format::Png.media_type(), as_png));
        self.expected.duplicates += 3;
        self.expected.look_alikes += 3;

        plant(
            "/resized.jpg",
            PlannedAnswer::new(jpeg, paint::small(&image::load_from_memory(&first)?.into_rgb8(), 480)?),
        );
        self.expected.duplicates += 1;
        self.expected.look_alikes += 1;
        plant("/old/moved.jpg", PlannedAnswer::redirect(301, "/new/moved.jpg"));
        self.expected.kept += 1;

        let mut refuse = |refusal, path: &str, answer: PlannedAnswer| {
            plant(path, answer);
            *self.expected.refused.entry(refusal).or_default() += 1;
        };
        refuse(Refusal::Truncated, "/cut.jpg", PlannedAnswer::new(jpeg, half(&third)));
        refuse(Refusal::Truncated, "/cut.png", PlannedAnswer::new(Format::Png.media_type(), half(&png)));
        let page = "<!DOCTYPE html><title>Please log in</title><p>Please log in.";
        refuse(Refusal::NotAnImage, "/login.jpg", PlannedAnswer::new(jpeg, page));
        refuse(Refusal::Empty, "/empty.jpg", PlannedAnswer::new(jpeg, ""));
        refuse(
            Refusal::UnsupportedFormat,
            "/scan.tif",
            PlannedAnswer::new("image/tiff", &b"II\x2a\0\x08\0\0\0\0\0"[..]),
        );
        refuse(Refusal::TooManyPixels, "/bomb.png", PlannedAnswer::new(Format::Png.media_type(), bomb()));
        refuse(Refusal::NotFound, "/missing.jpg", PlannedAnswer::error(404));
        refuse(Refusal::NotFound, "/gone.jpg", PlannedAnswer::error(410));
        refuse(Refusal::HttpStatus, "/members-only.jpg", PlannedAnswer::error(403));
        refuse(
            Refusal::PrivateAddress,
            "/intranet.jpg",
            PlannedAnswer::redirect(302, "http://10.0.0.1/router.jpg"),
        );
        refuse(Refusal::Robots, "/private/diary.jpg", PlannedAnswer::new(jpeg, third));
        let mut opted_out = PlannedAnswer::new(jpeg, second);
        opted_out.headers.push(("x-robots-tag", "noai".to_owned()));
        refuse(Refusal::OptOut, "/opted-out.jpg", opted_out);

        let moved = paint::Scene::new(&mut SmallRng::seed_from_u64(99)).paint(900, 600);
        self.files.insert("/new/moved.jpg".to_owned(), PlannedAnswer::new(jpeg, paint::jpeg(&moved, 1)?));
        Ok(planted)
    }
}

/// A picture that will be kept, as pages show it, and its files by their paths.
type Painted = (Exhibit, Vec<(String, PlannedAnswer)>);

/// All sound pictures, painted on all cores: each by a thread of its own, as they are few and small.
fn paint_all() -> Result<Vec<Painted>, ImageError> {
    std::thread::scope(|scope| {
        let painters: Vec<_> = (0..PICTURES).map(|index| scope.spawn(move || paint_one(index))).collect();
        let painted = painters.into_iter().map(std::thread::ScopedJoinHandle::join);
        painted.map(|painted| painted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn paint_one(index: u32) -> Result<Painted, ImageError> {
    let mut random = SmallRng::seed_from_u64(index.into());
    let format = match index % 9 {
        4 => Format::Png,
        6 if index < 18 => Format::Gif,
        8 => Format::Webp,
        _ => Format::Jpeg,
    };
    // Where nothing is lost, noise is dear: these are smaller.
    let long = match format {
        // Most are small, as on the web.
        Format::Jpeg => 500 + (900.0 * random.random::<f64>().powi(5)) as u32,
        _ => 500,
    };
    let short = long * random.random_range(60..=80) / 100;
    let portrait = random.random_range(0..3) == 0;
    let (width, height) = if portrait { (short, long) } else { (long, short) };

    let scene = paint::Scene::new(&mut random);
    let picture = scene.paint(width, height);
    let bytes = match format {
        // One lies on its side, as cameras store them.
        Format::Jpeg if index == 3 => paint::jpeg(&image::imageops::rotate270(&picture), 6)?,
        Format::Jpeg => paint::jpeg(&picture, 1)?,
        Format::Png => paint::encoded(&picture, ImageFormat::Png)?,
        Format::Gif => paint::gif(&picture, if index < 9 { 1 } else { 3 })?,
        Format::Webp => paint::encoded(&picture, ImageFormat::WebP)?,
    };
    let name = format!("{}-{index}.{}", scene.title, format.extension());
    let path = format!("/photos/{name}");
    let mut files = vec![(path.clone(), PlannedAnswer::new(format.media_type(), bytes))];
    let small = index.is_multiple_of(2).then(|| (format!("/small/{name}"), 320));
    if let Some((path, width)) = &small {
        let copy = PlannedAnswer::new(Format::Jpeg.media_type(), paint::small(&picture, *width)?);
        files.push((path.clone(), copy));
    }
    let title = format!("{} {index}", scene.title);
    Ok((Exhibit { path, small, title, width, height }, files))
}

/// The head of a PNG of 50 000 × 50 000 pixels.
fn bomb() -> Bytes {
    let side = 50_000u32.to_be_bytes();
    Bytes::from(
        [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], &side, &side, &[8, 6, 0, 0, 0], &[0; 4], &[0; 200]]
            .concat(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        model::{Pdq, Rules},
        validate,
    };

    /// What a polite crawler finds at an address: bytes, or why there are none.
    fn download<'a>(gallery: &'a Gallery, path: &str) -> Result<&'a Bytes, Refusal> {
        if path.starts_with("/private/") {
            return Err(Refusal::Robots);
        }
        let answer = gallery.files.get(path).ok_or(Refusal::PrivateAddress)?;
        let header = |wanted| answer.headers.iter().find(|(name, _)| *name == wanted);
        match (answer.status, header("location"), header("x-robots-tag")) {
            (_, Some((_, to)), _) => download(gallery, to),
            (_, _, Some(_)) => Err(Refusal::OptOut),
            (200, ..) => Ok(&answer.body),
            (404 | 410, ..) => Err(Refusal::NotFound),
            _ => Err(Refusal::HttpStatus),
        }
    }

    #[test]
    fn what_is_expected_is_what_is_there() {
        let (gallery, exhibits) = Gallery::with_exhibits().unwrap();
        let mut found = Expected::default();
        let (mut kept, mut hashes) = (BTreeSet::new(), Vec::<Pdq>::new());
        let (mut bytes, mut pixels) = (0, 0);
        for exhibit in &exhibits {
            let measured = download(&gallery, &exhibit.path).and_then(|body| {
                validate::validate(body, &validate::DecodeLimits::default(), &Rules::default())
                    .map(|measured| (measured, body.len()))
                    .map_err(|rejected| rejected.reason)
            });
            match measured {
                Err(refusal) => *found.refused.entry(refusal).or_default() += 1,
                Ok((measured, _)) if !kept.insert(measured.sha256) => found.duplicates += 1,
                Ok((measured, _))
                    if measured
                        .hash
                        .telling()
                        .any(|own| hashes.iter().any(|hash| own.distance(hash) <= Pdq::ALIKE.into())) =>
                {
                    found.duplicates += 1;
                    found.look_alikes += 1;
                }
                Ok((measured, length)) => {
                    found.kept += 1;
                    hashes.extend(measured.hash.telling());
                    if measured.format == Format::Jpeg && exhibit.path.starts_with("/photos/") {
                        bytes += length;
                        pixels += measured.width * measured.height;
                    }
                }
            }
        }
        assert_eq!(found, gallery.expected);
        let density = bytes as f64 / f64::from(pixels);
        assert!((0.2..0.3).contains(&density), "{density} bytes a pixel are not those of a photograph");

        let mut page = gallery.start.strip_prefix(ORIGIN);
        let mut pages = String::new();
        while let Some(path) = page {
            let html = std::str::from_utf8(&gallery.files[path].body).unwrap();
            pages += html;
            page =
                html.split_once("rel=next href=\"").and_then(|(_, rest)| rest.split_once('"')).map(|at| at.0);
        }
        for exhibit in &exhibits {
            assert!(pages.contains(&exhibit.path), "{} is on no page", exhibit.path);
        }
    }
}
