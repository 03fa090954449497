//! Renames what a source reads in recorded answers, as a site that changes its layout does.

use regex::{Captures, Regex};

use super::cassette::Exchange;
use crate::model::Content;

/// What stands in the place of a name.
const RENAMED: &str = "renamed-by-test";

/// White space; spelt out, because the class of all of Unicode's takes long to compile.
const S: &str = r"[ \t\r\n]";

/// The exchanges with `name` renamed wherever it stands as a key of JSON (also in attributes and
/// scripts, where quotes are escaped), as an attribute, as an element, or as a word of a script.
/// A name with a dot before it is a class. None when it stands nowhere.
pub(super) fn renamed(exchanges: &[Exchange], name: &str) -> Option<Vec<Exchange>> {
    let name = RenamedKey::new(name)?;
    let mut exchanges = exchanges.to_vec();
    let mut found = false;
    for response in exchanges.iter_mut().filter_map(|exchange| exchange.outcome.as_mut().ok()) {
        let kind = response.headers.iter().find(|(name, _)| name == "content-type");
        let is_script = kind.is_some_and(|(_, kind)| kind.contains("javascript"));
        let Content::Text(text) = &mut response.body else { continue };
        let changed = name.renamed(text, is_script);
        found |= changed != *text;
        *text = changed;
    }
    found.then_some(exchanges)
}

/// Where a name is looked for: what is found is the name with its surroundings, and what is
/// kept of these are the groups `before` and `after`.
struct RenamedKey {
    everywhere: Regex,
    in_scripts: Option<Regex>,
}

impl RenamedKey {
    fn new(name: &str) -> Option<Self> {
        if let Some(class) = name.strip_prefix('.') {
            let class = regex::escape(class);
            let pattern = format!(
                r#"(?i:(?<before>{S}class{S}*={S}*(?:"(?:[^"]*{S})?|'(?:[^']*{S})?|))){class}(?<after>["'>]|{S})"#
            );
            return Some(Self { everywhere: Regex::new(&pattern).ok()?, in_scripts: None });
        }
        let name = regex::escape(name);
        let quote = r#"(?:\\?["']|&quot;|&#34;|&#x22;)"#;
        let pattern = format!(
            "(?<before>{quote}){name}(?<after>{quote}{S}*:)|(?<before2>{S}){name}(?<after2>{S}*=)|(?<before3></?){name}(?<after3>{S}|[/>])"
        );
        let word = format!("(?<before>^|[^A-Za-z0-9_$-]){name}(?<after>$|[^A-Za-z0-9_$-])");
        Some(Self { everywhere: Regex::new(&pattern).ok()?, in_scripts: Some(Regex::new(&word).ok()?) })
    }

    fn renamed(&self, text: &str, is_script: bool) -> String {
        let text = replaced(&self.everywhere, text);
        let Some(word) = &self.in_scripts else { return text };
        if is_script {
            return replaced(word, &text);
        }
        let mut parts = Vec::new();
        // What follows each opening tag, up to its end.
        for (index, part) in text.split("<script").enumerate() {
            let inside = part.split_once("</script").filter(|_| index > 0);
            parts.push(match inside {
                Some((script, rest)) => format!("{}</script{rest}", replaced(word, script)),
                None => part.to_owned(),
            });
        }
        parts.join("<script")
    }
}

/// Until nothing is found any more: two finds may share what stands between them.
fn replaced(pattern: &Regex, text: &str) -> String {
    let rename = |found: &Captures<'_>| {
        let group = |names: &[&str]| {
            names.iter().find_map(|name| found.name(name)).map_or("", |part| part.as_str()).to_owned()
        };
        let before = group(&["before", "before2", "before3"]);
        format!("{before}{RENAMED}{}", group(&["after", "after2", "after3"]))
    };
    let once = pattern.replace_all(text, rename);
    pattern.replace_all(&once, rename).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, expect: &str) {
        let expect = expect.replace('~', RENAMED);
        assert_eq!(RenamedKey::new(name).unwrap().renamed(text, false), expect, "{name} in {text}");
    }

    #[test]
    fn what_is_a_name_and_what_is_not() {
        check("url", r#"{"url": "url", "my_url":1, "url" : 2}"#, r#"{"~": "url", "my_url":1, "~" : 2}"#);
        check("murl", "m='{&quot;murl&quot;:&quot;a&quot;}'", "m='{&quot;~&quot;:&quot;a&quot;}'");
        check("m", r#"<a m="1" am="2" m = 'm'>"#, r#"<a ~="1" am="2" ~ = 'm'>"#);
        check("image:loc", "<image:loc>a</image:loc><image:location/>", "<~>a</~><image:location/>");
        check("img", "<img src=a><img><imgs> img", "<~ src=a><~><imgs> img");
        check("vqd", "vqd=1 <script>vqd=vqd,\"vqd\"</script> vqd", "vqd=1 <script>~=~,\"~\"</script> vqd");
        check("AF_init", "<script>AF_init({a: AF_initial})</script>", "<script>~({a: AF_initial})</script>");
        check(
            ".tile",
            "<i class=\"a tile tile-2\"><i class=tile><i id=tile>",
            "<i class=\"a ~ tile-2\"><i class=~><i id=tile>",
        );
        check("a", r#"{\"a\":1,'a':2}"#, r#"{\"~\":1,'~':2}"#);
    }
}
