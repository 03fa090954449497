//! Which column of a list holds what: by the names that lists use, or as the user says.

use serde::{Deserialize, Serialize};

use crate::picture::address;

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Field {
    Url,
    Description,
    Title,
    /// The class of the picture, in one word or name.
    Label,
    /// Several of those.
    Labels,
    /// Words for what it shows.
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
    /// Whether it is not safe for work, or how likely that is.
    Unsafe,
}

/// Names without case and punctuation. Where several are there, the first counts, but for labels, tags
/// and what is not safe, which add up. One that ends in `*` stands for all that begin like it.
const NAMES: [(Field, &str); 25] = [
    (
        Field::Url,
        "imageurl imgurl imagelink imagesrc photoimageurl pictureurl originalurl contenturl mediaurl fileurl \
        downloadurl url uri image img picture photo file photourl src link href address imageurls urls images \
        imgs pictures photos",
    ),
    (
        Field::Description,
        "caption captions imagecaption description text txt alttext alt sentence prompt toptext",
    ),
    (Field::Title, "title headline name imagetitle"),
    (Field::Label, "label class classname category labelname displayname species wnid"),
    (Field::Labels, "labels classes"),
    (Field::Tags, "tags keywords categories"),
    (Field::License, "license licence licensename rights usageterms"),
    (Field::LicenseVersion, "licenseversion licenceversion"),
    (Field::LicenseUrl, "licenseurl licenceurl"),
    (Field::Attribution, "attribution credit creditline rightsholder copyrightholder"),
    (Field::Creator, "creator author photographer artist photographerusername owner ownername"),
    (Field::CreatorUrl, "creatorurl authorurl authorprofileurl photographerurl"),
    (
        Field::Page,
        "pageurl foreignlandingurl originallandingurl landingurl landingpage webpage page permalink sourceurl \
        references",
    ),
    (Field::Thumbnail, "thumbnail thumbnailurl thumb thumburl thumbnail300kurl"),
    (Field::Id, "id imageid photoid pictureid sampleid uid uuid key"),
    (Field::Width, "width originalwidth photowidth imagewidth w"),
    (Field::Height, "height originalheight photoheight imageheight h"),
    (Field::Md5, "md5 originalmd5 md5sum md5hash"),
    (Field::Sha1, "sha1 originalsha1 sha1sum sha1hash"),
    (Field::Sha256, "sha256 originalsha256 sha256sum sha256hash"),
    (Field::Checksum, "checksum hash digest"),
    (Field::Mime, "mime mimetype contenttype mediatype"),
    (Field::ByteSize, "bytesize filesize originalsize contentlength bytes"),
    (Field::Published, "published publishedat date datepublished photosubmittedat createdat"),
    (Field::Unsafe, "nsfw unsafe mature adult sensitive punsafe pnsfw nsfwprob* nsfwscore*"),
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
                let (name, most) = name.strip_suffix('*').map_or((name, 1), |start| (start, usize::MAX));
                let is_it = |plain: &str| plain == name || (most > 1 && plain.starts_with(name));
                let adds_up = matches!(field, Field::Label | Field::Labels | Field::Tags | Field::Unsafe);
                for (at, _) in plain.iter().enumerate().filter(|(_, plain)| is_it(plain)).take(most) {
                    if columns.field(at).is_none() && (adds_up || columns.column(field).is_none()) {
                        columns.push(at, field);
                    }
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

    /// Looks in the first rows of a list without names for captions: the one column of sentences that
    /// holds nothing else. Where that is none or several, and some hold words, says how to name it.
    pub(crate) fn guess_caption<S: AsRef<str>>(&mut self, rows: &[Vec<S>]) -> Option<&'static str> {
        let sentences = self.free(rows, is_sentence);
        if let [at] = sentences[..] {
            self.push(at, Field::Description);
            return None;
        }
        (!self.free(rows, has_words).is_empty()).then_some(
            "the columns of the list have no names; `caption-column` and `label-column` say by number which hold \
             captions and labels",
        )
    }

    /// Which columns look like captions of a list that calls none of its columns anything of the kind.
    pub(crate) fn unread_captions<N: AsRef<str>, S: AsRef<str>>(
        &self,
        names: &[N],
        rows: &[Vec<S>],
    ) -> Option<String> {
        let of_a_kind = [Field::Description, Field::Title, Field::Label, Field::Labels, Field::Tags];
        if of_a_kind.iter().any(|field| self.column(*field).is_some()) {
            return None;
        }
        let unread: Vec<_> = self.free(rows, is_sentence);
        let unread = unread.iter().filter_map(|at| Some(format!("`{}`", names.get(*at)?.as_ref())));
        let unread: Vec<_> = unread.collect();
        let list = || unread.join(", ").chars().take(300).collect::<String>();
        (!unread.is_empty())
            .then(|| format!("no column is known to hold captions; `caption-column` may be {}", list()))
    }

    /// Columns that hold nothing known, and mostly such cells.
    fn free<S: AsRef<str>>(&self, rows: &[Vec<S>], is: fn(&str) -> bool) -> Vec<usize> {
        let count = rows.first().map_or(0, Vec::len);
        let is_address = |at: &usize| rows[0].get(*at).is_some_and(|cell| address(cell.as_ref()).is_some());
        let url = self.column(Field::Url).or_else(|| (0..count).find(is_address));
        let free = (0..count).filter(|at| Some(*at) != url && self.field(*at).is_none());
        let cells = |at: usize| {
            rows.iter().filter_map(move |row| Some(row.get(at)?.as_ref())).filter(|cell| !cell.is_empty())
        };
        free.filter(|at| cells(*at).filter(|cell| is(cell)).count() * 2 > cells(*at).count()).collect()
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

fn has_words(cell: &str) -> bool {
    cell.chars().any(char::is_alphabetic) && address(cell).is_none()
}

/// Two words or more, or some letters of a script that may have no space between words.
fn is_sentence(cell: &str) -> bool {
    let words = cell.split_whitespace().filter(|word| word.contains(char::is_alphabetic));
    let foreign = cell.chars().filter(|c| !c.is_ascii() && c.is_alphabetic());
    has_words(cell) && (words.count() > 1 || foreign.count() > 3)
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
        check(&["url", "txt", "sha256hash"], &[(0, Field::Url), (1, Field::Description), (2, Field::Sha256)]);
        check(
            &["identifier", "references", "title", "creator", "license", "rightsHolder"],
            &[
                (1, Field::Page),
                (2, Field::Title),
                (3, Field::Creator),
                (4, Field::License),
                (5, Field::Attribution),
            ],
        );
        check(
            &["nsfw_score_a", "url", "watermark_score", "nsfw_score_b", "punsafe", "pwatermark", "NSFW"],
            &[
                (0, Field::Unsafe),
                (1, Field::Url),
                (3, Field::Unsafe),
                (4, Field::Unsafe),
                (6, Field::Unsafe),
            ],
        );
        check(
            &["alt", "caption", "class", "tags", "label", "labels"],
            &[
                (1, Field::Description),
                (2, Field::Label),
                (3, Field::Tags),
                (4, Field::Label),
                (5, Field::Labels),
            ],
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
    fn captions_without_names() {
        let url = "https://example.org/a.jpg";
        let check = |rows: &[&[&str]], expect: Option<usize>, warns: bool| {
            let rows: Vec<_> = rows.iter().map(|row| row.to_vec()).collect();
            let mut columns = Columns::default();
            let warning = columns.guess_caption(&rows);
            assert_eq!((columns.column(Field::Description), warning.is_some()), (expect, warns), "{rows:?}");
        };
        check(&[&["a red fox", url]], Some(0), false);
        check(&[&[url, "a red fox , at dawn ."], &[url, "snow"], &[url, "two hares"]], Some(1), false);
        check(&[&[url, "雪の中の赤い狐"]], Some(1), false);
        check(&[&["17", url, "640", "a red fox", "0.9"]], Some(3), false);
        // Labels, ids, and two of a kind.
        check(&[&["n01440764_1", url]], None, true);
        check(&[&[url, "fox"], &[url, "red fox"]], None, true);
        check(&[&[url, "a red fox", "Ada Fuchs"]], None, true);
        // Nothing that could be one.
        for row in [&[url][..], &[url, "17", "2026-01-01 10:00"], &[url, "", "https://example.org/b c"]] {
            check(&[row], None, false);
        }
        check(&[], None, false);
        let mut columns = Columns::unnamed(2, &Wanted { label: Some("2"), ..Wanted::default() }).unwrap();
        assert_eq!(columns.guess_caption(&[vec![url, "a red fox"]]), None);
        assert_eq!(columns.column(Field::Description), None);
    }

    #[test]
    fn captions_under_other_names() {
        let rows = [vec!["https://example.org/a.jpg", "a red fox", "17"]];
        let unread =
            |names: &[&str]| Columns::named(names, &Wanted::default()).unwrap().unread_captions(names, &rows);
        let warning = "no column is known to hold captions; `caption-column` may be `Beschreibung`";
        assert_eq!(unread(&["url", "Beschreibung", "n"]).as_deref(), Some(warning));
        assert_eq!(unread(&["", "Beschreibung", "n"]).as_deref(), Some(warning));
        for names in [["url", "caption", "n"], ["url", "who", "title"], ["url", "creator", "n"]] {
            assert_eq!(unread(&names), None, "{names:?}");
        }
    }

    #[test]
    fn a_name_means_one_thing() {
        let mut names: Vec<_> = NAMES.iter().flat_map(|(_, names)| names.split(' ')).collect();
        assert!(names.iter().all(|name| name.trim_end_matches('*') == plain(name)));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
