//! Which column of a list holds what: by the names that lists use, or as the user says.

use serde::{Deserialize, Serialize};

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Field {
    Url,
    Description,
    Title,
    /// What the picture shows, in one word or name.
    Label,
    /// Several of those.
    Tags,
    License,
    LicenseVersion,
    LicenseUrl,
    Attribution,
    Creator,
    CreatorUrl,
    Page,
    Thumbnail,
    Id,
    Width,
    Height,
    Md5,
    Sha1,
    Sha256,
    /// One of these three, told by its length.
    Checksum,
    Mime,
    ByteSize,
    Published,
    /// Whether it is not safe for work.
    Unsafe,
}

/// Names without case and punctuation. Where several are there, the first counts,
/// but for labels and tags, which add up.
const NAMES: [(Field, &str); 24] = [
    (
        Field::Url,
        "imageurl imgurl imagelink imagesrc photoimageurl pictureurl originalurl contenturl mediaurl fileurl \
        downloadurl url uri image img picture photo file photourl src link href address",
    ),
    (Field::Description, "caption imagecaption description text alttext alt sentence prompt toptext"),
    (Field::Title, "title headline name imagetitle"),
    (Field::Label, "label class classname category labelname displayname species wnid"),
    (Field::Tags, "tags labels classes keywords categories"),
    (Field::License, "license licence licensename rights usageterms"),
    (Field::LicenseVersion, "licenseversion licenceversion"),
    (Field::LicenseUrl, "licenseurl licenceurl"),
    (Field::Attribution, "attribution credit creditline"),
    (Field::Creator, "creator author photographer artist photographerusername owner ownername"),
    (Field::CreatorUrl, "creatorurl authorurl authorprofileurl photographerurl"),
    (
        Field::Page,
        "pageurl foreignlandingurl originallandingurl landingurl landingpage webpage page permalink sourceurl",
    ),
    (Field::Thumbnail, "thumbnail thumbnailurl thumb thumburl thumbnail300kurl"),
    (Field::Id, "id imageid photoid pictureid sampleid uid uuid key"),
    (Field::Width, "width originalwidth photowidth imagewidth w"),
    (Field::Height, "height originalheight photoheight imageheight h"),
    (Field::Md5, "md5 originalmd5 md5sum"),
    (Field::Sha1, "sha1 originalsha1 sha1sum"),
    (Field::Sha256, "sha256 originalsha256 sha256sum"),
    (Field::Checksum, "checksum hash digest"),
    (Field::Mime, "mime mimetype contenttype mediatype"),
    (Field::ByteSize, "bytesize filesize originalsize contentlength bytes"),
    (Field::Published, "published publishedat date datepublished photosubmittedat createdat"),
    (Field::Unsafe, "nsfw mature adult sensitive"),
];

/// What the columns of a list hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Columns(Vec<(u16, Field)>);

/// Columns that the user names, by name or by number from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) caption: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
}

impl Wanted<'_> {
    fn all(&self) -> impl Iterator<Item = (Field, &str)> {
        let all = [(Field::Url, self.url), (Field::Description, self.caption), (Field::Label, self.label)];
        all.into_iter().filter_map(|(field, name)| Some((field, name?)))
    }
}

impl Columns {
    /// The columns that have these names.
    ///
    /// # Errors
    ///
    /// The name that the user gave and that none of them has.
    pub(crate) fn named<S: AsRef<str>>(names: &[S], wanted: &Wanted<'_>) -> Result<Self, String> {
        let plain: Vec<_> = names.iter().map(|name| plain(name.as_ref())).collect();
        let mut columns = Self::numbered(names.len(), wanted, |name| {
            let exact = names.iter().position(|known| known.as_ref().trim() == name);
            exact.or_else(|| plain.iter().position(|known| !known.is_empty() && *known == self::plain(name)))
        })?;
        for (field, known) in NAMES {
            for name in known.split(' ') {
                let at = plain.iter().position(|plain| plain == name);
                let Some(at) = at.filter(|at| columns.field(*at).is_none()) else { continue };
                let adds_up = matches!(field, Field::Label | Field::Tags);
                if adds_up || columns.column(field).is_none() {
                    columns.push(at, field);
                }
            }
        }
        Ok(columns)
    }

    /// The columns that the user gave by number, of a list without names.
    ///
    /// # Errors
    ///
    /// What the user gave and is no number of a column.
    pub(crate) fn unnamed(count: usize, wanted: &Wanted<'_>) -> Result<Self, String> {
        Self::numbered(count, wanted, |_| None)
    }

    fn numbered(
        count: usize,
        wanted: &Wanted<'_>,
        by_name: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, String> {
        let mut columns = Self::default();
        for (field, name) in wanted.all() {
            let number = || name.parse::<usize>().ok().filter(|number| (1..=count).contains(number));
            let at = by_name(name).or_else(|| number().map(|number| number - 1));
            columns.push(at.ok_or_else(|| name.to_owned())?, field);
        }
        Ok(columns)
    }

    /// Says that the column holds that.
    pub(crate) fn push(&mut self, at: usize, field: Field) {
        if let Ok(at) = u16::try_from(at) {
            self.0.push((at, field));
        }
    }

    /// The first column that holds it.
    #[must_use]
    pub(crate) fn column(&self, field: Field) -> Option<usize> {
        self.0.iter().find(|(_, held)| *held == field).map(|(at, _)| usize::from(*at))
    }

    /// What the column holds.
    #[must_use]
    pub(crate) fn field(&self, at: usize) -> Option<Field> {
        self.0.iter().find(|(column, _)| usize::from(*column) == at).map(|(_, field)| *field)
    }

    /// All columns that hold something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Field)> {
        self.0.iter().map(|(at, field)| (usize::from(*at), *field))
    }
}

/// A name without case and punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || !c.is_ascii())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_their_names() {
        let check = |names: &[&str], expect: &[(usize, Field)]| {
            let mut columns: Vec<_> = Columns::named(names, &Wanted::default()).unwrap().iter().collect();
            columns.sort_by_key(|(at, _)| *at);
            assert_eq!(columns, expect, "{names:?}");
        };
        check(&[], &[]);
        check(&["foo", ""], &[]);
        check(
            &["URL", "TEXT", "HEIGHT", "WIDTH", "LICENSE", "NSFW", "similarity"],
            &[
                (0, Field::Url),
                (1, Field::Description),
                (2, Field::Height),
                (3, Field::Width),
                (4, Field::License),
                (5, Field::Unsafe),
            ],
        );
        check(&["url", "Image URL", "imageUrl"], &[(1, Field::Url)]);
        check(
            &["alt", "caption", "class", "tags", "label"],
            &[(1, Field::Description), (2, Field::Label), (3, Field::Tags), (4, Field::Label)],
        );
    }

    #[test]
    fn columns_as_the_user_says() {
        let wanted = Wanted { url: Some("Foto"), caption: Some("2"), label: None };
        let columns = Columns::named(&["url", "text", "foto"], &wanted).unwrap();
        assert_eq!(columns.iter().collect::<Vec<_>>(), [(2, Field::Url), (1, Field::Description)]);
        assert_eq!(
            Columns::unnamed(2, &Wanted { url: Some("2"), ..Wanted::default() }).unwrap().column(Field::Url),
            Some(1)
        );
        for url in ["0", "3", "foto", ""] {
            assert_eq!(
                Columns::unnamed(2, &Wanted { url: Some(url), ..Wanted::default() }),
                Err(url.to_owned())
            );
        }
    }

    #[test]
    fn a_name_means_one_thing() {
        let mut names: Vec<_> = NAMES.iter().flat_map(|(_, names)| names.split(' ')).collect();
        assert!(names.iter().all(|name| *name == plain(name)));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
