//! Label files: what is known of each picture, without the picture. A file is a head, the text of each record
//! with a separator between, and a foot, so its length is a sum.

use super::{
    columns::{Besides, Cell, columns},
    csv,
};
use crate::model::{ExportFormat, ExportRecord};

/// A format of label files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// A table with a row of names, as RFC 4180 has it. A list is one of JSON within its field, none is an
    /// empty field and an empty text a pair of quotes. Texts are as they are, also those that a spreadsheet
    /// takes for formulas: an apostrophe before them would be in the data. `attribution.csv` has them.
    Csv,
    /// One array of the lines of `metadata.jsonl`.
    Json,
    /// The lines of `metadata.jsonl`.
    Jsonl,
    /// One list of the same.
    Yaml,
    /// Address and first label, and the part of a split export, with a tab between and no row of names; a tab or
    /// the end of a line in them becomes a space.
    Txt,
}

impl LabelFormat {
    /// Of an export in this format; none where pictures are in it.
    #[must_use]
    pub const fn of(format: ExportFormat) -> Option<Self> {
        match format {
            ExportFormat::Csv => Some(Self::Csv),
            ExportFormat::Json => Some(Self::Json),
            ExportFormat::Jsonl => Some(Self::Jsonl),
            ExportFormat::Yaml => Some(Self::Yaml),
            ExportFormat::Txt => Some(Self::Txt),
            ExportFormat::Folder | ExportFormat::Zip | ExportFormat::Webdataset | ExportFormat::Parquet => {
                None
            }
        }
    }

    /// What a file with this number of records begins with, of an export that is split or not.
    #[must_use]
    pub fn head(self, records: usize, is_split: bool) -> Vec<u8> {
        match self {
            Self::Csv => csv::row(columns(besides(is_split)).map(|column| Some(column.name))),
            Self::Json => b"[\n".to_vec(),
            // Without items it would be no list.
            Self::Yaml if records == 0 => b"[]\n".to_vec(),
            Self::Jsonl | Self::Yaml | Self::Txt => Vec::new(),
        }
    }

    /// A record.
    #[must_use]
    pub fn record(self, record: &ExportRecord) -> Vec<u8> {
        match self {
            Self::Csv => {
                let texts: Vec<_> = columns(of(record)).map(|column| text((column.cell)(record))).collect();
                csv::row(texts.iter().map(Option::as_deref))
            }
            Self::Json => record.json().into_bytes(),
            Self::Jsonl => (record.json() + "\n").into_bytes(),
            Self::Yaml => yaml(record),
            Self::Txt => {
                let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
                let part = record.split.map_or_else(String::new, |part| format!("\t{}", part.name()));
                format!("{}\t{}{part}\n", plain(&record.url), plain(&record.label)).into_bytes()
            }
        }
    }

    /// What is between two records.
    #[must_use]
    pub const fn separator(self) -> &'static [u8] {
        match self {
            Self::Json => b",\n",
            _ => b"",
        }
    }

    /// What a file with this number of records ends with.
    #[must_use]
    pub const fn foot(self, records: usize) -> &'static [u8] {
        match (self, records) {
            (Self::Json, 0) => b"]\n",
            (Self::Json, _) => b"\n]\n",
            _ => b"",
        }
    }
}

/// A record with the name of its files in an archive of the webdataset kind: `NeMo Curator` looks for the
/// column `key` in a table beside the archive, and for the same in the record.
#[must_use]
pub fn keyed(key: &str, record: &ExportRecord) -> String {
    let json = record.json();
    format!("{{\"key\":{},{}", serde_json::Value::from(key), json.strip_prefix('{').unwrap_or_default())
}

/// Pictures of label files are what was found.
const fn besides(is_split: bool) -> Besides {
    Besides { is_split, are_made: false }
}

const fn of(record: &ExportRecord) -> Besides {
    besides(record.split.is_some())
}

fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Text(text) => text.map(str::to_owned),
        Cell::Texts(texts) => serde_json::to_string(texts).ok(),
        Cell::Integer(number) => number.map(|number| number.to_string()),
    }
}

/// An item of a list. Every text is in quotes, on one line: so no text can be taken for anything else.
fn yaml(record: &ExportRecord) -> Vec<u8> {
    let mut item = String::new();
    for column in columns(of(record)) {
        let value = match (column.cell)(record) {
            Cell::Text(text) => text.map_or_else(|| "null".to_owned(), quoted),
            Cell::Texts(texts) => {
                format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
            Cell::Integer(number) => number.map_or_else(|| "null".to_owned(), |number| number.to_string()),
        };
        item += if item.is_empty() { "- " } else { "  " };
        item += &format!("{}: {value}\n", column.name);
    }
    item.into_bytes()
}

/// A text in YAML, of whichever version: that of JSON, where what YAML does not print or takes for the end of
/// a line is escaped, too.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let is_odd = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if !json.contains(is_odd) {
        return json;
    }
    json.chars().map(|c| if is_odd(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Provenance, SplitPart};

    const ODD: &str = "unreadable content-usage header a=\"b\", c";

    fn records() -> [ExportRecord; 2] {
        let plain = ExportRecord {
            file_name: "cat/ab.jpg".to_owned(),
            label: "cat".to_owned(),
            labels: vec!["cat".to_owned(), "a, \"b\"".to_owned()],
            url: "https://x.example/a.jpg".to_owned(),
            width: 4,
            height: 3,
            size: 5,
            sha256: "ab".to_owned(),
            ..ExportRecord::default()
        };
        let title = "=\"two\nlines\", \u{85}\u{2028}\u{feff}\u{1f408}".to_owned();
        let provenance =
            Provenance { title: Some(title), description: Some(String::new()), ..Provenance::default() };
        let consent = vec!["noted c2pa file manifest".to_owned(), ODD.to_owned()];
        let label = "a\tb".to_owned();
        [plain.clone(), ExportRecord { label, provenance, consent, ..plain }]
    }

    fn file(format: LabelFormat, records: &[ExportRecord]) -> String {
        let texts: Vec<Vec<u8>> = records.iter().map(|record| format.record(record)).collect();
        let is_split = records.iter().any(|record| record.split.is_some());
        let bytes = [
            &format.head(records.len(), is_split)[..],
            &texts.join(format.separator()),
            format.foot(records.len()),
        ];
        String::from_utf8(bytes.concat()).unwrap()
    }

    #[test]
    fn each_format_says_the_same() {
        let records = records();
        let csv = file(LabelFormat::Csv, &records);
        let names = "file_name,label,labels,tags,url,asked_url,source,page_url,title,description,creator,creator_url,\
            license,license_url,attribution,consent,width,height,size,sha256,pdq,\
            brightness,contrast,sharpness,jpeg_quality\r\n";
        let first = "cat/ab.jpg,cat,\"[\"\"cat\"\",\"\"a, \\\"\"b\\\"\"\"\"]\",[],https://x.example/a.jpg,,,,,,,,,,,[],4,3,5,ab,,,,,\r\n";
        assert!(csv.starts_with(&[names, first].concat()), "{csv}");
        assert!(csv.contains(",\"=\"\"two\nlines\"\", \u{85}\u{2028}\u{feff}\u{1f408}\",\"\",,"), "{csv}");
        let said = r#","[""noted c2pa file manifest"",""unreadable content-usage header a=\""b\"", c""]",4,"#;
        assert!(csv.contains(said), "{csv}");

        let json: Vec<ExportRecord> = serde_json::from_str(&file(LabelFormat::Json, &records)).unwrap();
        assert_eq!(json, records);
        let lines = file(LabelFormat::Jsonl, &records);
        assert_eq!(
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<ExportRecord>>(),
            records
        );
        let yaml = file(LabelFormat::Yaml, &records);
        assert!(yaml.starts_with("- file_name: \"cat/ab.jpg\"\n  label: \"cat\"\n  labels: [\"cat\", \"a, \\\"b\\\"\"]\n  tags: []\n"));
        assert!(yaml.contains("\n  title: \"=\\\"two\\nlines\\\", \\u0085\\u2028\\ufeff\u{1f408}\"\n  description: \"\"\n  creator: null\n"), "{yaml}");
        assert!(yaml.contains("\n  consent: []\n  width: 4\n"), "{yaml}");
        let said = r#"  consent: ["noted c2pa file manifest", "unreadable content-usage header a=\"b\", c"]"#;
        assert!(yaml.contains(said), "{yaml}");
        let txt = "https://x.example/a.jpg\tcat\nhttps://x.example/a.jpg\ta b\n";
        assert_eq!(file(LabelFormat::Txt, &records), txt);
    }

    #[test]
    fn the_part_of_a_split_is_said() {
        let parts = [SplitPart::Train, SplitPart::Test];
        let records: Vec<ExportRecord> = records()
            .into_iter()
            .zip(parts)
            .map(|(record, part)| ExportRecord { split: Some(part), ..record })
            .collect();
        let csv = file(LabelFormat::Csv, &records);
        assert!(
            csv.lines().next().unwrap().ends_with(",jpeg_quality,split")
                && csv.contains(",ab,,,,,,train\r\n"),
            "{csv}"
        );
        assert!(file(LabelFormat::Jsonl, &records).contains(r#""jpeg_quality":null,"split":"test"}"#));
        assert!(file(LabelFormat::Yaml, &records).ends_with("  jpeg_quality: null\n  split: \"test\"\n"));
        assert!(file(LabelFormat::Txt, &records).ends_with("\ta b\ttest\n"));
    }

    #[test]
    fn a_file_without_records_is_one() {
        for (format, text) in [
            (LabelFormat::Json, "[\n]\n"),
            (LabelFormat::Jsonl, ""),
            (LabelFormat::Yaml, "[]\n"),
            (LabelFormat::Txt, ""),
        ] {
            assert_eq!(file(format, &[]), text);
        }
        assert_eq!(file(LabelFormat::Csv, &[]).lines().count(), 1);
    }
}
