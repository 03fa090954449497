//! What a piece of HTML says.

use super::{Tag, Token, tokens};

/// The text of a piece of HTML as a person sees it: without tags, scripts and what is
/// hidden in place (`hidden`, `display: none`), character references decoded, white
/// space collapsed. What begins a line of its own, and cells of a table, are set apart by a space.
///
/// ```
/// use pixcrawler_sdk::html::text;
///
/// let html = "<p>By <a href='/ada'>Ada&nbsp;Fuchs</a>,<br>1891<span style='display: none'>Q1</span></p>";
/// assert_eq!(text(html), "By Ada Fuchs, 1891");
/// ```
#[must_use]
pub fn text(html: &str) -> String {
    let mut text = String::new();
    // The element that hides its content, and how many of its name are open within it.
    let mut hidden: Option<(&str, usize)> = None;
    for token in tokens(html) {
        match (token, &mut hidden) {
            (Token::Open(tag), Some((name, depth))) if tag.is(name) => *depth += 1,
            (Token::Close(closed), Some((name, depth))) if closed.eq_ignore_ascii_case(name) => {
                *depth -= 1;
                if *depth == 0 {
                    hidden = None;
                }
            }
            (_, Some(_)) => {}
            (Token::Open(tag), None) if hides(&tag) => hidden = Some((tag.name, 1)),
            (Token::Open(Tag { name, .. }) | Token::Close(name), None) => {
                if !one_of(&INLINE, name) {
                    text.push(' ');
                }
            }
            (Token::Text(said), None) => text.push_str(&said.decode()),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hides(tag: &Tag<'_>) -> bool {
    if one_of(&VOID, tag.name) {
        return false;
    }
    let invisible = |style: &str| {
        style.split(';').filter_map(|rule| rule.split_once(':')).any(|(property, value)| {
            property.trim().eq_ignore_ascii_case("display") && value.trim().eq_ignore_ascii_case("none")
        })
    };
    one_of(&UNSEEN, tag.name)
        || tag.attributes().any(|(name, value)| {
            name.eq_ignore_ascii_case("hidden") || name.eq_ignore_ascii_case("style") && invisible(&value)
        })
}

fn one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What stands within a line; all else begins one.
const INLINE: [&str; 31] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "img", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u",
    "var", "wbr",
];
/// What has no content, so that nothing in it could be hidden.
const VOID: [&str; 7] = ["area", "br", "hr", "img", "input", "source", "wbr"];
/// What is never shown.
const UNSEEN: [&str; 3] = ["script", "style", "template"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said() {
        for (html, expect) in [
            ("", ""),
            ("plain  text\n", "plain text"),
            ("<i>Night</i> in <b>N</b>ice", "Night in Nice"),
            ("one<br>two<p>three</p><ul><li>four<li>five</ul>six", "one two three four five six"),
            ("a&amp;b &lt;c&gt; &eacute;&nbsp;&#8230;", "a&b <c> é …"),
            ("<script>no()</script>yes<style>.no{}</style><template>no</template>", "yes"),
            ("a <div style='display: none;'>b <div>c</div> d</div>e", "a e"),
            ("a <SPAN Style=\"color:red; DISPLAY:NONE\">b</SPAN> c", "a c"),
            ("a <span hidden>b</span> c", "a c"),
            ("a <span style='display: block'>b</span> c", "a b c"),
            ("a<img style='display:none' src=x> b", "a b"),
            ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
            ("a<!-- b -->c", "ac"),
            ("a <p hidden>b", "a"),
            ("<a href='x'", ""),
            ("a<svg><style/><title>b</title></svg>c", "a b c"),
        ] {
            assert_eq!(text(html), expect, "{html}");
        }
    }
}
