//! What a robots.txt says to one crawler: by RFC 9309, and as its authors mean it where they do not
//! keep to that; and what it says of use, by draft-ietf-aipref-attach.

use std::{cmp::Reverse, time::Duration};

use super::content_usage;
use crate::model::{ConsentMeaning, ConsentPlace, ConsentSignal, ConsentVocabulary};

/// Most bytes of a robots.txt; RFC 9309 asks for at least as many.
pub const MAX_ROBOTS_BYTES: usize = 500 << 10;

/// Most bytes of a statement on use that are kept.
const LONGEST_USAGE: usize = 800;

/// What one crawler is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RobotsRules {
    /// The name under which it is asked that, as in the file; `*` where that is everybody.
    pub agent: String,
    /// Those that decide before others first.
    rules: Vec<PathRule>,
    /// Time from one request to the next (`Crawl-delay`, `Request-rate`); zero where nothing is said.
    pub interval: Duration,
    /// `Content-Usage` and `Content-Signal`, in the order of the file.
    usage: Vec<UsageRule>,
}

/// What pictures below a path may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UsageRule {
    vocabulary: ConsentVocabulary,
    pattern: PathPattern,
    /// As it is written, with the path.
    value: String,
    meaning: ConsentMeaning,
}

/// A pattern of paths, as robots.txt has them (RFC 9309, 2.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern(String);

impl PathPattern {
    pub(super) fn new(pattern: &[u8]) -> Self {
        Self(normal(pattern, true))
    }

    /// A path with its query, as patterns are compared with it.
    pub(super) fn path(path: &str) -> String {
        normal(path.as_bytes(), false)
    }

    /// Whether what [`path`](Self::path) gave begins so.
    pub(super) fn matches(&self, path: &str) -> bool {
        matches(&self.0, path)
    }

    pub(super) const fn weight(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PathRule {
    /// As [`normal`] has it; `*` is any text, and `$` at its end is the end of the address.
    pattern: String,
    allow: bool,
}

impl RobotsRules {
    /// Reads what `file` says to the crawler of that product token.
    #[must_use]
    pub fn parse(file: &[u8], product: &str) -> Self {
        // Of a line that was cut nobody knows what it forbids.
        let whole = file.get(..MAX_ROBOTS_BYTES).map(|cut| cut.iter().rposition(is_end).unwrap_or_default());
        let file = &file[..whole.unwrap_or(file.len())];
        let (mut ours, mut everybodys) = (None, None);
        let (mut group, mut names_go_on) = (RobotsGroup::default(), false);
        for (key, value) in
            file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file).split(is_end).filter_map(record)
        {
            match key {
                RobotsKey::Agent => {
                    if !names_go_on {
                        group = RobotsGroup::default();
                    }
                    names_go_on = true;
                    for name in value.split(|byte| *byte == b',') {
                        match named(name, product) {
                            AgentMatch::Us => group.is_ours = true,
                            AgentMatch::Everybody => group.is_everybodys = true,
                            AgentMatch::Other => {}
                        }
                    }
                }
                RobotsKey::Rule { allow } => {
                    names_go_on = false;
                    let is_meant = group.is_ours || group.is_everybodys;
                    group.rule = (is_meant && !value.is_empty())
                        .then(|| PathRule { pattern: normal(value, true), allow });
                }
                RobotsKey::Usage(vocabulary) => {
                    names_go_on = false;
                    let is_meant = group.is_ours || group.is_everybodys;
                    group.usage = is_meant.then(|| UsageRule::new(vocabulary, value));
                }
                // Neither ends a group, nor do records that are not known (2.2.4).
                RobotsKey::Interval(interval) => group.interval = group.interval.max(interval(value)),
            }
            for (is_meant, rules) in [(group.is_ours, &mut ours), (group.is_everybodys, &mut everybodys)] {
                if is_meant {
                    rules.get_or_insert_with(Self::default).take(&group);
                }
            }
            (group.rule, group.usage) = (None, None);
        }
        let (agent, Self { mut rules, interval, usage, .. }) = match (ours, everybodys) {
            (Some(ours), _) => (product.to_ascii_lowercase(), ours),
            (None, everybodys) => ("*".to_owned(), everybodys.unwrap_or_default()),
        };
        // The longest decides, and of two that are as long the one that allows (2.2.2).
        rules.sort_unstable_by(|one, other| one.rank().cmp(&other.rank()));
        rules.dedup();
        Self { agent, rules, interval, usage }
    }

    fn take(&mut self, group: &RobotsGroup) {
        self.interval = self.interval.max(group.interval);
        self.rules.extend(group.rule.clone());
        self.usage.extend(group.usage.clone());
    }

    /// The pattern that forbids this path and query, if one does.
    #[must_use]
    pub fn forbidding(&self, path: &str) -> Option<&str> {
        let path = normal(path.as_bytes(), false);
        let deciding = self.rules.iter().find(|rule| rule.matches(&path));
        deciding.filter(|rule| !rule.allow && path != "/robots.txt").map(|rule| rule.pattern.as_str())
    }

    /// What is said of the use of this path and query: by the longest pattern that fits, and where that stands
    /// more than once, by each of these. `file` is the address of the robots.txt.
    #[must_use]
    pub fn usage(&self, path: &str, file: &str) -> Vec<ConsentSignal> {
        let path = PathPattern::path(path);
        let fitting = |vocabulary| {
            let of_it = self.usage.iter().filter(move |rule| rule.vocabulary == vocabulary);
            of_it.filter(|rule| rule.pattern.matches(&path))
        };
        let mut signals = Vec::new();
        for vocabulary in [ConsentVocabulary::ContentUsage, ConsentVocabulary::ContentSignal] {
            let longest = fitting(vocabulary).map(|rule| rule.pattern.weight()).max();
            let deciding = fitting(vocabulary).filter(|rule| Some(rule.pattern.weight()) == longest);
            signals.extend(deciding.map(|rule| {
                let place = ConsentPlace::RobotsTxt;
                ConsentSignal::new(vocabulary, place, Some(file), &rule.value, rule.meaning)
            }));
        }
        signals
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules.len() + self.usage.len()
    }

    /// Whether nothing is asked by any rule.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About the bytes that they take in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = size_of::<PathRule>() + 16;
        const EACH_USAGE: usize = size_of::<UsageRule>() + 32;
        let usage = self.usage.iter().map(|rule| rule.pattern.weight() + rule.value.len() + EACH_USAGE);
        self.rules.iter().map(|rule| rule.pattern.len() + EACH).chain(usage).sum()
    }
}

/// What was read of a group so far.
#[derive(Default)]
struct RobotsGroup {
    is_ours: bool,
    is_everybodys: bool,
    interval: Duration,
    /// Of the record that was read last.
    rule: Option<PathRule>,
    /// The same, where it speaks of use.
    usage: Option<UsageRule>,
}

/// Records that mean something here.
enum RobotsKey {
    Agent,
    Rule {
        allow: bool,
    },
    Usage(ConsentVocabulary),
    /// How its value is read.
    Interval(fn(&[u8]) -> Duration),
}

const fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

/// Key and value of a line, where it is such a record: `key: value`, or `key value` as some write it.
fn record(line: &[u8]) -> Option<(RobotsKey, &[u8])> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
    let parts = |end: Option<usize>| Some((&line[..end?], line[end? + 1..].trim_ascii()));
    let colon = parts(memchr::memchr(b':', line)).and_then(|(name, value)| Some((key(name)?, value)));
    colon.or_else(|| {
        let (name, value) = parts(line.iter().position(u8::is_ascii_whitespace))?;
        Some((key(name)?, value))
    })
}

/// Letters of any case count and nothing between them, with the slips that others forgive, too.
fn key(name: &[u8]) -> Option<RobotsKey> {
    let letters: Vec<u8> = name
        .iter()
        .filter(|byte| !matches!(byte, b'-' | b'_' | b' ' | b'\t'))
        .map(u8::to_ascii_lowercase)
        .collect();
    Some(match &letters[..] {
        b"useragent" => RobotsKey::Agent,
        b"allow" | b"alow" | b"allaw" => RobotsKey::Rule { allow: true },
        b"disallow" | b"dissallow" | b"dissalow" | b"disalow" | b"diasllow" | b"disallaw" => {
            RobotsKey::Rule { allow: false }
        }
        b"contentusage" => RobotsKey::Usage(ConsentVocabulary::ContentUsage),
        b"contentsignal" => RobotsKey::Usage(ConsentVocabulary::ContentSignal),
        b"crawldelay" => RobotsKey::Interval(delay),
        b"requestrate" => RobotsKey::Interval(rate),
        _ => return None,
    })
}

enum AgentMatch {
    Us,
    Everybody,
    Other,
}

/// Whom a name means. A product token is letters, `-` and `_` (2.2.1); what follows it, such as a version,
/// is left out. Some write `*` for a part of it.
fn named(name: &[u8], product: &str) -> AgentMatch {
    let name = name.trim_ascii();
    let is_token = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'*');
    let token = &name[..name.iter().position(|byte| !is_token(byte)).unwrap_or(name.len())];
    let pattern = String::from_utf8_lossy(token).to_ascii_lowercase();
    if token.is_empty() {
        AgentMatch::Other
    } else if token.iter().all(|byte| *byte == b'*') {
        AgentMatch::Everybody
    } else if matches(&format!("{pattern}$"), &product.to_ascii_lowercase()) {
        AgentMatch::Us
    } else {
        AgentMatch::Other
    }
}

/// `Crawl-delay: 2`, in seconds.
fn delay(value: &[u8]) -> Duration {
    number(value).map_or(Duration::ZERO, |(seconds, _)| duration(seconds))
}

/// `Request-rate: 1/5`, documents in so many seconds, or in `5m` or `1h`; hours of the day may follow.
fn rate(value: &[u8]) -> Duration {
    let read = || {
        let (documents, rest) = number(value)?;
        let (time, rest) = number(rest.trim_ascii_start().strip_prefix(b"/")?.trim_ascii_start())?;
        let unit = match rest.first().map(u8::to_ascii_lowercase) {
            Some(b'm') => 60.0,
            Some(b'h') => 3600.0,
            _ => 1.0,
        };
        Some(time * unit / documents)
    };
    read().map_or(Duration::ZERO, duration)
}

/// The number at the beginning of a text, and what follows.
fn number(text: &[u8]) -> Option<(f64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(text.len());
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, &text[end..]))
}

/// Longer than a day is for ever; what is no time is none.
fn duration(seconds: f64) -> Duration {
    const DAY: f64 = 86_400.0;
    Duration::try_from_secs_f64(if seconds > DAY { DAY } else { seconds }).unwrap_or_default()
}

impl UsageRule {
    /// `train-ai=n`, or `/path train-ai=n`.
    fn new(vocabulary: ConsentVocabulary, value: &[u8]) -> Self {
        let end = value.iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let (path, statement) = match (value.first(), end) {
            (Some(b'/'), end) => value.split_at(end.unwrap_or(value.len())),
            _ => (&b""[..], value),
        };
        Self {
            vocabulary,
            pattern: PathPattern::new(path),
            value: String::from_utf8_lossy(&value[..value.len().min(LONGEST_USAGE)]).into_owned(),
            meaning: content_usage::meaning(vocabulary, statement.trim_ascii()),
        }
    }
}

impl PathRule {
    fn rank(&self) -> impl Ord {
        (Reverse(self.pattern.len()), !self.allow, &self.pattern)
    }

    fn matches(&self, path: &str) -> bool {
        matches(&self.pattern, path)
    }
}

/// Whether the pattern is what the path begins with. Parts between stars are taken where they
/// occur first, which leaves most for those that follow.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_the_end) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return !to_the_end || rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    if to_the_end { rest.ends_with(last) } else { rest.contains(last) }
}

/// A path with its query, or a pattern, such that two that mean the same are the same (2.2.2): what may
/// stand unescaped does, all else is escaped. In a pattern `*`, and `$` at its end, stay as they are;
/// elsewhere they are letters as others, which a pattern can mean by `%2A` and `%24` (2.2.3).
fn normal(text: &[u8], is_pattern: bool) -> String {
    let mut normal = String::with_capacity(text.len() + 1);
    let is_rooted = text.starts_with(b"/") || (is_pattern && text.starts_with(b"*"));
    if !is_rooted {
        normal.push('/');
    }
    let (mut rest, mut in_query) = (text.split(|byte| *byte == b'#').next().unwrap_or_default(), false);
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.first_chunk().filter(|_| first == b'%').and_then(octet);
        let (byte, after) = escaped.map_or((first, after), |byte| (byte, &after[2..]));
        let is_sign = is_pattern && escaped.is_none() && (byte == b'*' || (byte == b'$' && after.is_empty()));
        let is_unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        // An address in a query is written either way.
        // An address in a query is written either way.
        let is_same_in_query = in_query && byte == b'/';
        // Escaped, these are other characters; all the rest is the same either way, as clients differ
        // in what they escape.
        let is_plain = escaped.is_none() && matches!(byte, b'/' | b'?' | b'&' | b'=' | b'%');
        if is_sign || is_unreserved || is_same_in_query || is_plain {
            normal.push(char::from(byte));
        } else {
            normal.push_str(&format!("%{byte:02X}"));
        }
        in_query |= first == b'?';
        rest = after;
    }
    normal
}

/// What two hexadecimal digits stand for.
fn octet(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the crawler `pixcrawler` may ask for the path.
    fn may(file: &str, path: &str) -> bool {
        RobotsRules::parse(file.as_bytes(), "PixCrawler").forbidding(path).is_none()
    }

    #[test]
    fn the_examples_of_rfc_9309() {
        // 2.2.2, the table of escapes.
        for (pattern, path) in [
            ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
            ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
            ("/foo/bar/\u{30c4}", "/foo/bar/%E3%83%84"),
            ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84"),
            ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
            // 2.2.3, the table of signs.
            ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"),
            ("/path/foo-%24", "/path/foo-$"),
        ] {
            let file = format!("user-agent: *\ndisallow: {pattern}\n");
            assert!(!may(&file, path), "{pattern} {path}");
            assert!(may(&file, "/path/file-with-a-b.html") && may(&file, "/foo/bar/ba"), "{pattern}");
        }
        // 2.2.1: names in any case, groups of one name are one, and comments.
        let file = "User-Agent: Pixcrawler # us\nDisallow: /a\n\nuser-agent: otherbot\ndisallow: /\n\n\
                    USER-AGENT: PIXCRAWLER\nDisallow: /b";
        assert_eq!(["/a", "/b", "/c"].map(|path| may(file, path)), [false, false, true]);
        // 5.1: simple.
        let file = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n\
                    User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n\
                    User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\n\
                    User-Agent: quxbot\n\nEOF";
        for (agent, path, expect) in [
            ("pixcrawler", "/a.gif", false),
            ("pixcrawler", "/a.gif?b", true),
            ("pixcrawler", "/example/page.html", false),
            ("pixcrawler", "/publications/", true),
            ("foobot", "/example/page.html", true),
            ("foobot", "/example/allowed.gif", true),
            ("foobot", "/publications/", false),
            ("barbot", "/example/page.html", false),
            ("bazbot", "/example/page.html", false),
            ("bazbot", "/a.gif", true),
            ("quxbot", "/example/page.html", true),
            ("quxbot", "/a.gif", true),
        ] {
            let forbidden = RobotsRules::parse(file.as_bytes(), agent).forbidding(path).is_some();
            assert_eq!(!forbidden, expect, "{agent} {path}");
        }
        // 5.2: the longest decides.
        let file = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif";
        let rules = RobotsRules::parse(file.as_bytes(), "foobot");
        assert_eq!(rules.forbidding("/example/page/"), None);
        assert_eq!(rules.forbidding("/example/page/disallowed.gif"), Some("/example/page/disallowed.gif"));
        // 2.2.2: of two that are as long the one that allows; robots.txt is always allowed.
        assert!(may("user-agent: *\ndisallow: /a\nallow: /a", "/a"));
        assert!(may("user-agent: *\ndisallow: /", "/robots.txt"));
        // 2.2.4: other records do not end a group.
        for other in
            ["Sitemap: https://a.test/x.xml", "Crawl-delay: 5", "Request-rate: 1/5", "Host: a.test", "\n"]
        {
            let file = format!("User-agent: *\n{other}\nUser-agent: otherbot\n{other}\nDisallow: /\n");
            assert!(!may(&file, "/a"), "{other}");
            let file = format!("User-agent: *\nDisallow: /a\n{other}\nDisallow: /b\n");
            assert!(!may(&file, "/b"), "{other}");
        }
    }

    #[test]
    fn what_clients_escape_is_forbidden_as_it_is_written() {
        let site = url::Url::parse("https://a.test/").unwrap();
        // Signs of patterns, and what is another character in an address.
        for byte in (b'!'..=b'~').filter(|byte| !b"*$#\\".contains(byte)).map(char::from) {
            for place in ["/x", "/x?y"] {
                let file = format!("User-agent: *\nDisallow: {place}{byte}z");
                let asked = site.join(&format!("{place}{byte}z")).unwrap();
                assert!(!may(&file, &asked[url::Position::BeforePath..]), "{place}{byte}z");
            }
        }
        assert!(!may("User-agent: *\nDisallow: /*?filter[", "/a?filter%5Bc%5D=1"));
        assert!(!may("User-agent: *\nDisallow: /a|b;c@d", "/a%7Cb%3Bc%40d"));
        assert!(may("User-agent: *\nDisallow: /a/b", "/a%2Fb"));
    }

    #[test]
    fn the_examples_of_google() {
        let check = |pattern: &str, forbidden: &[&str], others: &[&str]| {
            let file = format!("user-agent: *\ndisallow: {pattern}");
            assert!(forbidden.iter().all(|path| !may(&file, path)), "{pattern}: {forbidden:?}");
            assert!(others.iter().all(|path| may(&file, path)), "{pattern}: {others:?}");
        };
        check("/", &["/", "/a", "/a/b?c"], &[]);
        check("/*", &["/", "/a", "/a/b?c"], &[]);
        check("/$", &["/"], &["/a"]);
        check(
            "/fish",
            &[
                "/fish",
                "/fish.html",
                "/fish/salmon.html",
                "/fishheads",
                "/fishheads/yummy.html",
                "/fish.php?id=anything",
            ],
            &["/Fish.asp", "/catfish", "/?id=fish", "/desert/fish"],
        );
        check("/fish*", &["/fish", "/fish/salmon.html", "/fish.php?id=anything"], &["/Fish.asp", "/catfish"]);
        check(
            "/fish/",
            &["/fish/", "/fish/?id=anything", "/fish/salmon.htm"],
            &["/fish", "/fish.html", "/animals/fish/", "/Fish/Salmon.asp"],
        );
        check(
            "/*.php",
            &[
                "/index.php",
                "/filename.php",
                "/folder/filename.php",
                "/folder/filename.php?parameters",
                "/filename.php/",
            ],
            &["/", "/windows.PHP"],
        );
        check(
            "/*.php$",
            &["/filename.php", "/folder/filename.php"],
            &["/filename.php?parameters", "/filename.php/", "/filename.php5", "/windows.PHP"],
        );
        check("/fish*.php", &["/fish.php", "/fishheads/catfish.php?parameters"], &["/Fish.PHP"]);
        for (rules, path, expect) in [
            ("allow: /p\ndisallow: /", "/page", true),
            ("allow: /folder\ndisallow: /folder", "/folder/page", true),
            ("allow: /page\ndisallow: /*.htm", "/page.htm", false),
            ("allow: /page\ndisallow: /*.ph", "/page.php5", true),
            ("allow: /$\ndisallow: /", "/", true),
            ("allow: /$\ndisallow: /", "/page.htm", false),
        ] {
            assert_eq!(may(&format!("user-agent: *\n{rules}"), path), expect, "{rules}");
        }
        // The most specific group counts alone, wherever it stands.
        let file = "user-agent: pixcrawler-news\ndisallow: /news\n\nuser-agent: *\ndisallow: /all\n\n\
                    user-agent: pixcrawler\ndisallow: /ours";
        let agent = |agent| RobotsRules::parse(file.as_bytes(), agent).agent;
        assert_eq!(
            ["pixcrawler-news", "pixcrawler", "storebot"].map(agent),
            ["pixcrawler-news", "pixcrawler", "*"]
        );
        assert_eq!(["/news", "/all", "/ours"].map(|path| may(file, path)), [true, true, false]);
    }

    #[test]
    fn whom_a_name_means() {
        let check = |names: &str, is_us: bool| {
            let file = format!("user-agent: {names}\ndisallow: /\n\nuser-agent: *\ndisallow:\n");
            assert_eq!(!may(&file, "/a"), is_us, "{names}");
            let file = format!("user-agent: *\ndisallow:\n\nuser-agent: {names}\ndisallow: /\n");
            assert_eq!(!may(&file, "/a"), is_us, "{names}");
        };
        for us in [
            "PixCrawler",
            "pixcrawler/1.0",
            "PixCrawler 2",
            "PixCrawler/0.1 (+https://a.test/)",
            "PixCrawler*",
            "Pix*",
            "*crawler",
            "pix*er",
            "PixCrawler bot",
            "otherbot, PixCrawler",
            "PixCrawler,otherbot",
        ] {
            check(us, true);
        }
        for other in
            ["pix", "pixcrawler-images", "pixcrawlers", "otherbot/PixCrawler", "x*", "*q*", "", "/", "1"]
        {
            check(other, false);
        }
        for all in ["*", " * ", "* # all", "**", "* bots", "otherbot, *"] {
            assert!(!may(&format!("user-agent: {all}\ndisallow: /"), "/a"), "{all}");
        }
    }

    #[test]
    fn records_as_they_are_written() {
        for line in [
            "disallow: /a",
            "Disallow:/a",
            "DISALLOW : /a",
            "\t Disallow /a",
            "Dissalow: /a",
            "dis-allow: /a",
            "Disallow: /a # because",
            "Disallow: a",
            "Disallow: /%61",
            "Disallow /a:b",
        ] {
            for end in ["\n", "\r\n", "\r", "\0"] {
                let file = format!("\u{feff}User-agent: *{end}{line}{end}Disallow: /c");
                assert!(!may(&file, "/a:b") && !may(&file, "/c") && may(&file, "/b"), "{line:?}");
            }
        }
        for nothing in [
            "",
            "disallow:",
            "disallow: # /",
            "disallow",
            "# disallow: /",
            "allow: /",
            "disallowed: /",
            "<html>",
        ] {
            assert!(may(&format!("User-agent: *\n{nothing}"), "/a"), "{nothing}");
        }
        assert!(may("Disallow: /a", "/a"), "a rule for nobody");
    }

    #[test]
    fn how_often_one_may_ask() {
        let check = |lines: &str, seconds: f64| {
            let rules = RobotsRules::parse(format!("user-agent: *\n{lines}").as_bytes(), "pixcrawler");
            assert_eq!(rules.interval, Duration::from_secs_f64(seconds), "{lines}");
        };
        check("disallow: /a", 0.0);
        check("crawl-delay: 2", 2.0);
        check("Crawl-Delay: 0.5\ndisallow: /a", 0.5);
        check("disallow: /a\ncrawl delay:10 # slow", 10.0);
        check("crawl-delay: 10s", 10.0);
        check("crawl-delay: 3\ncrawl-delay: 1", 3.0);
        check("request-rate: 1/5", 5.0);
        check("Request-rate: 30 / 1m 0600-0845", 2.0);
        check("request-rate: 1/1h\ncrawl-delay: 5", 3600.0);
        for nothing in
            ["crawl-delay:", "crawl-delay: -1", "crawl-delay: soon", "request-rate: 5", "request-rate: 0/0"]
        {
            check(nothing, 0.0);
        }
        check("user-agent: otherbot\ncrawl-delay: 5", 5.0);
        check("disallow:\nuser-agent: otherbot\ncrawl-delay: 5", 0.0);
        check("crawl-delay: 9\n\nuser-agent: pixcrawler\ncrawl-delay: 1", 9.0);
        check("crawl-delay: 9\ndisallow:\n\nuser-agent: pixcrawler\ncrawl-delay: 1", 1.0);
        let rules = RobotsRules::parse(b"user-agent: *\ncrawl-delay: 1e99999999999999999999999999", "x");
        assert_eq!(rules.interval, Duration::from_secs(1));
        let rules =
            RobotsRules::parse(format!("user-agent: *\ncrawl-delay: {}", "9".repeat(99)).as_bytes(), "x");
        assert_eq!(rules.interval, Duration::from_secs(86_400));
    }

    /// What is said of the use of a path.
    fn usage(file: &str, product: &str, path: &str) -> Vec<(String, ConsentMeaning)> {
        let signals = RobotsRules::parse(file.as_bytes(), product).usage(path, "https://a.test/robots.txt");
        signals.into_iter().map(|signal| (signal.value, signal.meaning)).collect()
    }

    #[test]
    fn the_example_of_ai_preferences() {
        use ConsentMeaning::{Allowed, Reserved};
        let file = "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: train-ai=n\n\
                    Content-Usage: /ai-ok/ train-ai=y\n\n\
                    User-Agent: ExampleBot\nAllow: /\nContent-Usage: train-ai=y\n";
        let check = |product: &str, path: &str, value: &str, meaning| {
            assert_eq!(usage(file, product, path), [(value.to_owned(), meaning)], "{product} {path}");
        };
        check("pixcrawler", "/test", "train-ai=n", Reserved);
        check("pixcrawler", "/ai-ok/test", "/ai-ok/ train-ai=y", Allowed);
        check("ExampleBot", "/test", "train-ai=y", Allowed);
        check("examplebot", "/ai-ok/test", "train-ai=y", Allowed);
        let forbidden = |path| RobotsRules::parse(file.as_bytes(), "pixcrawler").forbidding(path).is_some();
        assert_eq!(["/test", "/never/test", "/ai-ok/test"].map(forbidden), [false, true, false]);
    }

    #[test]
    fn statements_on_use_as_they_are_written() {
        use ConsentMeaning::{Allowed, Reserved, Unreadable};
        let meanings = |lines: &str, path: &str| -> Vec<ConsentMeaning> {
            let file = format!("user-agent: *\n{lines}");
            usage(&file, "pixcrawler", path).into_iter().map(|(_, meaning)| meaning).collect()
        };
        for line in [
            "Content-Usage:train-ai=n",
            "\tcontent-usage \t: train-ai=n # not for that",
            "CONTENT-USAGE: /a\ttrain-ai=n",
            "Content-Usage: /*.jpg$   train-ai=n",
            "Content-Usage: /%61 train-ai=n",
            "Content-Signal: search=yes, ai-train=no",
            "Content-signal: /a ai-train=no",
            "Content-Signal: Search=yes, AI-train = No,",
        ] {
            assert_eq!(meanings(line, "/a.jpg"), [Reserved], "{line}");
        }
        assert_eq!(meanings("Content-Usage: /b train-ai=n", "/a.jpg"), []);
        // No statement, and none that can be read, of the path that decides.
        assert_eq!(meanings("Content-Usage: train-ai=n\nContent-Usage: /a (", "/a.jpg"), [Unreadable]);
        assert_eq!(meanings("Content-Usage: /a", "/a.jpg"), [ConsentMeaning::Noted]);
        // Of two for one path both are said, and of each vocabulary.
        let twice =
            "Content-Usage: /a train-ai=y\nContent-Usage: /a train-ai=n\nContent-Signal: ai-train=yes";
        assert_eq!(meanings(twice, "/a.jpg"), [Allowed, Reserved, Allowed]);
        // A group goes on, and another is not ours.
        assert_eq!(
            meanings("Content-Usage: train-ai=n\nuser-agent: b\nContent-Usage: train-ai=y", "/"),
            [Reserved]
        );
        assert_eq!(usage("Content-Usage: train-ai=n", "pixcrawler", "/"), []);
        assert!(!may("user-agent: *\ncontent-usage: train-ai=n\ndisallow: /a", "/a"));
    }

    #[test]
    fn every_rule_of_a_long_file_counts() {
        let check = |file: String, expect: usize, agent: &str| {
            assert!(file.len() < MAX_ROBOTS_BYTES, "{}", file.len());
            let rules = RobotsRules::parse(file.as_bytes(), "PixCrawler");
            assert_eq!((rules.len(), &*rules.agent), (expect, agent));
            rules
        };
        let lines = |count: usize| (0..count).map(|at| format!("disallow: /{at}/\n")).collect::<String>();
        let rules = check(format!("user-agent: *\n{}", lines(25_000)), 25_000, "*");
        assert!(rules.forbidding("/0/").is_some() && rules.forbidding("/24999/").is_some());
        assert!(rules.forbidding("/25000/").is_none());
        let others = format!("user-agent: other\n{}", lines(9000));
        let _ = check(format!("{others}user-agent: *\n{}", lines(9)), 9, "*");
        let ours = format!("user-agent: *\n{}user-agent: pixcrawler\n{}", lines(8000), lines(5000));
        let rules = check(format!("{others}{ours}"), 5000, "pixcrawler");
        assert!(rules.weight() > 5000 * size_of::<PathRule>() && rules.weight() < 512 << 10);
        let _ = check(format!("user-agent: *\n{}", lines(5).repeat(5000)), 5, "*");
    }

    #[test]
    fn a_line_that_is_cut_forbids_nothing() {
        let begin = "user-agent: *\ndisallow: /a\n";
        let filler = "#".repeat(MAX_ROBOTS_BYTES - begin.len() - "\ndisallow: /".len());
        let file = format!("{begin}{filler}\ndisallow: /private/");
        assert!(!may(&file, "/a") && may(&file, "/b"));
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read(
            noise: Vec<u8>,
            likely in "((user-agent|Disallow|allow|sitemap|crawl-delay|request-rate|content-usage)?[: ]{0,2}(\\*|/|train-ai=n| |\\$|%2F|%|9|pixcrawler|ü|a|https://a\\.test/){0,4}[ #\r\n]){0,20}",
            path in "(/|\\*|%2f|a|\\?|ü){0,20}",
        ) {
            for file in [&noise[..], likely.as_bytes(), &[likely.as_bytes(), &noise].concat()] {
                let rules = RobotsRules::parse(file, "pixcrawler");
                // The same file says the same again, and so does the form of a form.
                proptest::prop_assert_eq!(&rules, &RobotsRules::parse(file, "PixCrawler"));
                let once = normal(path.as_bytes(), false);
                proptest::prop_assert_eq!(rules.forbidding(&path), rules.forbidding(&once));
                proptest::prop_assert_eq!(rules.usage(&path, "a"), rules.usage(&once, "a"));
            }
        }
    }
}
