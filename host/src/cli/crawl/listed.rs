//! Addresses as people give them: with the name of their class before them, in lists and in tables.

use std::net::Ipv4Addr;

use pixcrawler_delimited::{Format, Reach};

/// Names that a column of addresses has, without case and punctuation; what comes first counts.
const ADDRESSES: [&str; 16] = [
    "url",
    "urls",
    "uri",
    "address",
    "link",
    "href",
    "pageurl",
    "page",
    "webpage",
    "website",
    "site",
    "imageurl",
    "imagelink",
    "imgurl",
    "image",
    "src",
];
/// Names of a column of classes.
const CLASSES: [&str; 5] = ["label", "class", "classname", "category", "name"];
/// Between cells of a table.
const DELIMITERS: [char; 3] = ['\t', ',', ';'];
/// What a list must be.
const EXPECTED: &str = "expected are lines of ADDRESS or NAME=ADDRESS, or a table (CSV, TSV) whose header names a column \
    `url` and, for the class, one `label`; a table of addresses of pictures is read from where it is on the web by \
    --source url-list --url ADDRESS-OF-THE-TABLE";

/// Addresses of a list, and the names of the columns of a table that are not read.
type Listing = (Vec<Listed>, Vec<String>);

/// An address, with the name of its class where it has one.
type Listed = (Option<String>, String);

/// Whether it begins as the addresses of pages do.
pub(super) fn is_address(text: &str) -> bool {
    let text = text.trim_start();
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Takes `NAME=ADDRESS` apart; anything else is left as it is.
pub(super) fn named(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, address)) if !name.contains([':', '/']) && is_address(address) => {
            (Some(name.trim()), address.trim())
        }
        _ => (None, text),
    }
}

/// Whether a keyword is likely an address without its scheme, or with a class that is given in another way.
pub(super) fn looks_like_address(keyword: &str) -> bool {
    let whole = keyword.trim().to_lowercase();
    if whole.contains("http://") || whole.contains("https://") {
        return true;
    }
    // Behind the name of a class.
    let keyword = whole.split_once('=').filter(|(name, _)| !name.contains(['.', '/', ':']));
    let keyword = keyword.map_or(whole.as_str(), |(_, behind)| behind).trim().trim_start_matches("//");
    if keyword.contains(char::is_whitespace) {
        return false;
    }
    let host = keyword.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let behind = &keyword[host.len()..];
    let port = behind.strip_prefix(':').and_then(|port| port.split_once('/')).map(|(port, _)| port);
    let has_port = port.is_some_and(|port| port.parse::<u16>().is_ok()) && host.contains(char::is_alphabetic);
    if has_port || !behind.is_empty() && (host == "localhost" || host.parse::<Ipv4Addr>().is_ok()) {
        return true;
    }
    let is_name = host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-');
    let is_domain = || psl::domain(host.as_bytes()).is_some_and(|domain| domain.suffix().is_known());
    is_name && (host.starts_with("www.") || is_domain())
}

/// The addresses of a list. A `#` begins a comment only at the start of a line, because addresses have
/// fragments.
///
/// # Errors
/// What is wrong in which line, and what is expected.
pub(super) fn addresses(text: &str) -> Result<Listing, String> {
    // What else ends a line cannot be part of an address.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let text = text.replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n");
    let lines = || {
        let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    };
    let Some((number, first)) = lines().next() else { return Ok(Listing::default()) };
    if let Some(table) = Table::headed(first) {
        return Ok((table.read(&text, number)?, table.unread));
    }
    if let Some((number, _)) = lines().find(|(_, line)| is_row(line)) {
        return Err(format!("line {number} looks like a row of a table without such a header; {EXPECTED}"));
    }
    if lines().count() > 1 && lines().all(|(_, line)| has_word_behind(line)) {
        return Err(format!("its lines look like rows of a table without a header; {EXPECTED}"));
    }
    let listed = lines().map(|(_, line)| named(line));
    let listed = listed.map(|(name, address)| (name.map(str::to_owned), address.to_owned()));
    Ok((listed.collect(), Vec::new()))
}

/// Whether a line has cells, and not only signs that addresses have, too.
fn is_row(line: &str) -> bool {
    let (_, address) = named(line);
    let mut cells = address.split(DELIMITERS).map(|cell| cell.trim_start_matches([' ', '"']));
    let is_first = cells.next().is_some_and(is_address);
    address.contains('\t')
        || address.starts_with('"')
        || cells.any(is_address)
        || address.contains(DELIMITERS) && (!is_first || address.contains(char::is_whitespace))
}

/// Whether what is behind the last comma is a word: one such line may be an address, many are not.
fn has_word_behind(line: &str) -> bool {
    let word = line.rsplit_once(DELIMITERS).map(|(_, word)| word.trim());
    word.is_some_and(|word| !word.contains(['/', '=', '&', '.', '%']))
}

/// A table with a header.
struct Table {
    format: Format,
    /// Which column has the addresses, and what it is called.
    address: usize,
    name: String,
    class: Option<usize>,
    /// Names of the other columns.
    unread: Vec<String>,
}

impl Table {
    /// The table that has this line as its header, if it names a column of addresses.
    fn headed(line: &str) -> Option<Self> {
        if is_address(named(line).1) {
            return None;
        }
        let formats = [Format::Tsv, Format::Csv(b','), Format::Csv(b';')];
        formats.into_iter().find_map(|format| {
            let names = format.cells(line);
            let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
            let column =
                |known: &[&str]| known.iter().find_map(|known| plain.iter().position(|name| name == known));
            let address = column(&ADDRESSES)?;
            let class = column(&CLASSES).filter(|class| *class != address);
            let name = |at: usize| names[at].trim().to_owned();
            let others = (0..names.len()).filter(|at| *at != address && Some(*at) != class);
            let unread = others.map(name).filter(|name| !name.is_empty()).collect();
            Some(Self { format, address, name: name(address), class, unread })
        })
    }

    /// The rows below the header, which is in the line of this number.
    fn read(&self, text: &str, header: u64) -> Result<Vec<Listed>, String> {
        let (mut rest, mut reach, mut line) = (text.as_bytes(), Reach::default(), 0);
        let mut listed = Vec::new();
        let at = |rest: &[u8]| (text.len() - rest.len()) as u64;
        while let Some(record) = self.format.record(rest, true, reach.at(at(rest))) {
            let number = line + 1;
            line += record.lines;
            rest = &rest[record.end..];
            // Records are cut at bytes that are characters by themselves.
            let record = String::from_utf8_lossy(record.bytes);
            let cells = self.format.cells(&record);
            let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
            if number <= header || record.starts_with('#') || cells.iter().all(|cell| cell.trim().is_empty())
            {
                continue;
            }
            let (address, class) = (cell(self.address), self.class.map_or("", cell));
            if address.is_empty() {
                return Err(format!("line {number} has no address in the column `{}`", self.name));
            }
            listed.push(((!class.is_empty()).then(|| class.to_owned()), address.to_owned()));
        }
        Ok(listed)
    }
}

/// A name without case and punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<(Option<&str>, String)> {
        let (found, _) = addresses(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let known = ["cats", "big, dogs"];
        let class = |name: String| known.into_iter().find(|known| *known == name).unwrap_or("another");
        found
            .into_iter()
            .map(|(name, url)| (name.map(class), url.trim_start_matches("https://a.example/").to_owned()))
            .collect()
    }

    #[test]
    fn lists_of_addresses() {
        let text = "\u{feff}https://a.example/1\r\n\n  # two more\nhttps://a.example/2#b  \n#https://a.example/3\n\
            cats = HTTPS://b.example/=\rhttps://a.example/w_4,h_4/x.jpg\u{2028}example.org/4";
        let plain = |url: &str| (None, url.to_owned());
        assert_eq!(
            listed(text),
            [
                plain("1"),
                plain("2#b"),
                (Some("cats"), "HTTPS://b.example/=".to_owned()),
                plain("w_4,h_4/x.jpg"),
                plain("example.org/4"),
            ]
        );
        assert_eq!(addresses("# nothing\n"), Ok(Listing::default()));
        // One such line is an address.
        assert_eq!(listed("https://a.example/@47,8"), [plain("@47,8")]);
    }

    #[test]
    fn tables_with_a_header() {
        let expect =
            [(Some("cats"), "1,x".to_owned()), (None, "2".to_owned()), (Some("big, dogs"), "3".to_owned())];
        for text in [
            "Label,n,Page URL\ncats,1,\"https://a.example/1,x\"\n\n,2,https://a.example/2\n\"big, dogs\",,https://a.example/3",
            "# ours\nurl;class\nhttps://a.example/1,x;cats\n#;\nhttps://a.example/2\nhttps://a.example/3;\"big, dogs\"\n",
            "image_url\tname\r\nhttps://a.example/1,x\tcats\r\nhttps://a.example/2\t\r\nhttps://a.example/3\tbig, dogs\r\n",
        ] {
            assert_eq!(listed(text), expect, "{text}");
        }
        assert_eq!(listed("url\nhttps://a.example/1"), [(None, "1".to_owned())]);
        let missing = addresses("label,url\n\"a\nb\",https://a.example/1\ncats,\n").unwrap_err();
        assert_eq!(missing, "line 4 has no address in the column `url`");
    }

    #[test]
    fn rows_without_a_header_are_not_addresses() {
        for (text, line) in [
            ("cats,https://a.example/1", "line 1"),
            ("https://a.example/1\nhttps://a.example/2\tcats", "line 2"),
            ("\"https://a.example/1\",\"cats\"", "line 1"),
            ("https://a.example/1, cats", "line 1"),
            ("photo,kind\nhttps://a.example/1,cat", "line 1"),
            ("https://a.example/1,cats\nhttps://a.example/2,dogs", "its lines"),
        ] {
            let error = addresses(text).unwrap_err();
            assert!(error.starts_with(line) && error.contains("NAME=ADDRESS"), "{error}");
            assert!(error.contains("--source url-list --url ADDRESS-OF-THE-TABLE"), "{error}");
        }
    }

    #[test]
    fn names_before_addresses() {
        for (text, expect) in [
            ("cats=https://a.example/?b=c", (Some("cats"), "https://a.example/?b=c")),
            ("big cats = HTTP://a.example/", (Some("big cats"), "HTTP://a.example/")),
            ("https://a.example/?b=https://c.example/", (None, "https://a.example/?b=https://c.example/")),
            ("a/b=https://a.example/", (None, "a/b=https://a.example/")),
            ("a=b", (None, "a=b")),
        ] {
            assert_eq!(named(text), expect, "{text}");
        }
    }

    #[test]
    fn keywords_that_look_like_addresses() {
        for keyword in [
            "www.example.org/x",
            "example.org/cats",
            "example.org",
            "//example.org:80/?q",
            "WWW.local",
            "cats=example.org/x",
            "cats = localhost:18877/cats/",
            "localhost:18877",
            "intranet:8080/cats",
            "127.0.0.1/cats",
            "cats:http://example.org/cats",
            "a/b=https://example.org/cats",
        ] {
            assert!(looks_like_address(keyword), "{keyword}");
        }
        for keyword in [
            "red panda",
            "node.js",
            "St.Gallen",
            "3.14",
            "C++/CLI",
            "and/or",
            "see example.org",
            ".com",
            "",
            "16:9/4:3",
            "psalm 23:4/5",
            "a=b",
            "localhost",
        ] {
            assert!(!looks_like_address(keyword), "{keyword}");
        }
    }
}
