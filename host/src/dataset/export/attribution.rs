//! `attribution.csv`: whom to name for each picture, as Creative Commons asks for it (title, author, source,
//! licence). It is for people, who open it in a spreadsheet: what that would take for a formula has an
//! apostrophe before it, which `metadata.jsonl` does not have.

use super::csv;
use crate::model::ExportRecord;

/// Columns of the file.
const NAMES: [&str; 10] = [
    "file",
    "title",
    "creator",
    "creator_url",
    "license",
    "license_url",
    "source",
    "page_url",
    "url",
    "attribution",
];

/// The row of names.
#[must_use]
pub fn head() -> Vec<u8> {
    csv::row(NAMES.map(Some))
}

/// The row of a picture. Its file is the path of the record, which is its place in a folder and its name
/// elsewhere.
#[must_use]
pub fn row(record: &ExportRecord) -> Vec<u8> {
    let provenance = &record.provenance;
    let path = record.path();
    let fields = [
        Some(&*path),
        provenance.title.as_deref(),
        provenance.creator.as_deref(),
        provenance.creator_url.as_deref(),
        provenance.license.as_deref(),
        provenance.license_url.as_deref(),
        record.source.as_deref(),
        provenance.page_url.as_deref(),
        Some(&*record.url),
        Some(&line(record)),
    ];
    let shown = fields.map(|field| field.map(csv::shown));
    csv::row(shown.iter().map(Option::as_deref))
}

/// The line to print beside a picture: that of its source, or one of what is known.
fn line(record: &ExportRecord) -> String {
    let provenance = &record.provenance;
    if let Some(line) = provenance.attribution.as_deref().filter(|line| !line.trim().is_empty()) {
        return line.to_owned();
    }
    let title =
        provenance.title.as_deref().map_or_else(|| "Untitled".to_owned(), |title| format!("“{title}”"));
    let creator = provenance.creator.as_deref().unwrap_or("an unknown creator");
    let page = provenance.page_url.as_deref().unwrap_or(&record.url);
    let license = provenance.license.as_deref().unwrap_or("licence not known");
    let license_url = provenance.license_url.as_deref().map_or_else(String::new, |url| format!(" ({url})"));
    format!("{title} by {creator}, {page}, {license}{license_url}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Provenance;

    #[test]
    fn a_picture_is_attributed_by_what_is_known() {
        let text = |record: &ExportRecord| String::from_utf8(row(record)).unwrap();
        let mut record = ExportRecord {
            file_name: "cat/ab.jpg".to_owned(),
            url: "https://x.example/a.jpg".to_owned(),
            ..ExportRecord::default()
        };
        assert_eq!(
            text(&record),
            "cat/ab.jpg,,,,,,,,https://x.example/a.jpg,\"Untitled by an unknown creator, https://x.example/a.jpg, licence not known\"\r\n"
        );
        record.source = Some("openverse".to_owned());
        record.provenance = Provenance {
            title: Some("=HYPERLINK(\"x\")".to_owned()),
            creator: Some("@ann".to_owned()),
            license: Some("cc-by-4.0".to_owned()),
            license_url: Some("https://creativecommons.org/licenses/by/4.0/".to_owned()),
            page_url: Some("https://x.example/a".to_owned()),
            ..Provenance::default()
        };
        assert_eq!(
            text(&record),
            "cat/ab.jpg,\"'=HYPERLINK(\"\"x\"\")\",'@ann,,cc-by-4.0,https://creativecommons.org/licenses/by/4.0/,openverse,\
             https://x.example/a,https://x.example/a.jpg,\"“=HYPERLINK(\"\"x\"\")” by @ann, https://x.example/a, \
             cc-by-4.0 (https://creativecommons.org/licenses/by/4.0/)\"\r\n"
        );
        record.provenance.attribution = Some("A by B".to_owned());
        assert!(text(&record).ends_with(",A by B\r\n"));
        assert_eq!(head().iter().filter(|byte| **byte == b',').count(), NAMES.len() - 1);
    }
}
