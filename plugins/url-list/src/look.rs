//! A first look at a list: how it is written, or that it is no list.

use pixcrawler_delimited::{Format, separator};
use pixcrawler_sdk::html::picture;

use crate::json;
use crate::picture::{address, address_of};

/// What a first look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A list in this format.
    List(Format),
    /// Something compressed, or in another character set: the host must have all of it.
    Packed,
    /// No list: what it is, and what to do.
    Other(&'static str),
}

/// Lines that are looked at.
const LINES: usize = 20;

/// Looks at the start of what came from `url`. `is_whole`: the host had all of it, and has
/// decoded and unpacked what it can. `chosen` is the value of the option `format`.
#[must_use]
pub(crate) fn look(
    url: &str,
    content_type: &str,
    start: &[u8],
    is_whole: bool,
    chosen: Option<&str>,
) -> Look {
    let content_type = content_type.to_ascii_lowercase();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    match start {
        [0x1f, 0x8b, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Look::Packed,
        [b'P', b'A', b'R', b'1', ..] => {
            return Look::Other("a Parquet file; convert it to CSV or JSON lines");
        }
        [b'P', b'K', 3, 4, ..] => {
            return Look::Other("a ZIP archive or a spreadsheet; unpack it or save it as CSV");
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', ..] => {
            return Look::Other("a compressed file; unpack it, or compress it with gzip");
        }
        _ if !is_whole && is_encoded(&content_type) => return Look::Packed,
        _ if start.iter().take(1_000).any(|byte| *byte == 0) => {
            return Look::Other("no text, or text in UTF-16 that does not begin with a byte order mark");
        }
        _ => {}
    }
    let text = String::from_utf8_lossy(&start[..start.len().min(64 << 10)]);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_comment(line))
        .take(LINES)
        .collect();
    let said = text.lines().find(|line| !line.trim().is_empty()).and_then(separator);
    let first = lines.first().copied().unwrap_or_default();
    // A heading may stand above the table.
    let delimiter =
        || lines.iter().map(|line| delimiter(line)).find(|found| found.1 > 1).map_or(b',', |found| found.0);
    match chosen {
        Some("text") => return Look::List(Format::Text),
        Some("csv") => return Look::List(Format::Csv(said.unwrap_or_else(delimiter))),
        Some("tsv") => return Look::List(Format::Tsv),
        Some("jsonl") => return Look::List(Format::Jsonl),
        _ => {}
    }
    if let Some(separator) = said {
        return Look::List(Format::Csv(separator));
    }
    if first.starts_with('<') && address(address_of(first)).is_none() {
        return Look::Other("a web page or XML; for pages, sitemaps and feeds there are other sources");
    }
    // An array with an element a line is as good as lines.
    let in_array = lines.iter().find(|line| !json::is_bracket(line));
    let is_lines = lines.len() > 1 && in_array.is_some_and(|line| json::value(line).is_some());
    if first.starts_with('[') && !is_lines {
        return Look::Other("one JSON array; write an object a line (for example with `jq -c '.[]'`)");
    }
    let path = url.split(['?', '#']).next().unwrap_or(url).to_ascii_lowercase();
    let path = path.strip_suffix(".gz").unwrap_or(&path);
    let is = |extensions: &[&str], types: &[&str]| {
        extensions.iter().any(|extension| path.ends_with(extension))
            || types.iter().any(|known| content_type.starts_with(known))
    };
    if first.starts_with(['{', '['])
        || is(&[".jsonl", ".ndjson"], &["application/x-ndjson", "application/jsonl"])
    {
        return Look::List(Format::Jsonl);
    }
    if is(&[".csv"], &["text/csv"]) {
        return Look::List(Format::Csv(delimiter()));
    }
    if first.contains('\t') {
        return Look::List(Format::Tsv);
    }
    // Addresses may hold commas; cells stand behind the name of a file, or below names.
    let comma = self::delimiter(first).0;
    let cells = |line: &str| Format::Csv(comma).cells(line).len();
    let in_cells = |line: &&str| {
        let first = Format::Csv(comma).cells(line).swap_remove(0);
        picture::is_file(&first) || line.starts_with('"')
    };
    let is_table = cells(first) > 1 && (address(first).is_none() || lines.iter().all(in_cells));
    Look::List(if is_table { Format::Csv(comma) } else { Format::Text })
}

/// Whether it says nothing in any format; a table may begin with an empty name (`;url`).
fn is_comment(line: &str) -> bool {
    line.starts_with('#') || (line.starts_with("; ") && !line[1..].contains(';'))
}

/// Whether the type names a character set that is not UTF-8.
fn is_encoded(content_type: &str) -> bool {
    let charset =
        content_type.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("charset="));
    charset.is_some_and(|charset| {
        !["utf-8", "utf8", "us-ascii"].contains(&charset.trim_matches(['"', '\'', ' ']))
    })
}

/// What sets the cells of a line apart, and how many there are.
fn delimiter(line: &str) -> (u8, usize) {
    let by_cells = |delimiter| (delimiter, Format::Csv(delimiter).cells(line).len());
    // The last of equals.
    [b'|', b'\t', b';', b','].map(by_cells).into_iter().max_by_key(|(_, cells)| *cells).unwrap_or((b',', 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, content_type: &str, start: &str, expect: Format) {
        assert_eq!(
            look(url, content_type, start.as_bytes(), false, None),
            Look::List(expect),
            "{url} {content_type} {start}"
        );
    }

    #[test]
    fn formats() {
        let (txt, csv) = ("https://example.org/l.txt", "https://example.org/L.CSV?v=1");
        check(txt, "text/plain", "", Format::Text);
        check(txt, "text/plain; charset=utf-8", "# ours\n\nhttps://example.org/a.jpg\n", Format::Text);
        check(
            txt,
            "",
            "https://example.org/w_1,h_1/a.jpg\nhttps://example.org/w_2,h_2/b.jpg\n",
            Format::Text,
        );
        check(txt, "", "https://example.org/a.jpg,fox\nhttps://example.org/b.jpg,hare\n", Format::Csv(b','));
        check(txt, "", "url,label\nhttps://example.org/a.jpg,fox\n", Format::Csv(b','));
        check(txt, "", "a fox\thttps://example.org/a.jpg\n", Format::Tsv);
        check(txt, "", "\u{feff}{\"url\": \"https://example.org/a.jpg\"}\n", Format::Jsonl);
        check("https://example.org/l.ndjson", "", "\"https://example.org/a.jpg\"", Format::Jsonl);
        check("https://example.org/l", "application/x-ndjson", "", Format::Jsonl);
        check(csv, "", "url\nhttps://example.org/a.jpg\n", Format::Csv(b','));
        check("https://example.org/l.csv.gz", "application/gzip", "url\n", Format::Csv(b','));
        check(csv, "", "url;text, long;label\n", Format::Csv(b';'));
        check(csv, "", "url\ttext\n", Format::Csv(b'\t'));
        check(csv, "", "\"a;b;c\",url\n", Format::Csv(b','));
        check("https://example.org/l", "text/csv;charset=\"UTF-8\"", "url|text", Format::Csv(b'|'));
        for (chosen, expect) in [
            ("text", Format::Text),
            ("csv", Format::Csv(b',')),
            ("tsv", Format::Tsv),
            ("jsonl", Format::Jsonl),
        ] {
            assert_eq!(look(txt, "", b"[1,2]", false, Some(chosen)), Look::List(expect));
        }
    }

    #[test]
    fn what_is_no_list() {
        for start in [&b"\x1f\x8b\x08"[..], b"\xff\xfeh\0", b"\xfe\xff\0h"] {
            assert_eq!(look("", "", start, true, Some("csv")), Look::Packed);
        }
        assert_eq!(
            look("", "text/csv; header=present; charset=ISO-8859-1", b"url", false, None),
            Look::Packed
        );
        assert_eq!(look("", "text/plain; charset=utf-16le", b"h\0t\0", false, None), Look::Packed);
        for (start, expect) in [
            (&b"PAR1\x15"[..], "Parquet"),
            (b"PK\x03\x04", "spreadsheet"),
            (b"\x28\xb5\x2f\xfd", "compressed"),
            (b"a\0b", "no text"),
            (b" \n<!DOCTYPE html>", "web page"),
            (b"[{\"url\": 1}]", "jq -c"),
        ] {
            let Look::Other(what) = look("", "", start, false, None) else { panic!("{start:?}") };
            assert!(what.contains(expect), "{what}");
        }
    }
}
