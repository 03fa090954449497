//! Pages as they are written, well and badly.

use proptest::prelude::*;

use super::*;

/// Writes tokens down so that a document's reading fits a line.
fn reading(html: &str) -> String {
    tokens(html)
        .map(|token| match token {
            Token::Open(tag) => {
                let attributes: String =
                    tag.attributes().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("[{}{attributes}]", tag.name)
            }
            Token::Close(name) => format!("[/{name}]"),
            Token::Text(text) => decode(text).into_owned(),
        })
        .collect()
}

#[test]
fn documents() {
    for (html, expect) in [
        ("", ""),
        ("just text", "just text"),
        ("<!DOCTYPE html><p>a</p>", "[p]a[/p]"),
        ("<img src=a.jpg>", "[img src=a.jpg]"),
        ("<img src='a b' alt=\"c > d\"/>", "[img src=a b alt=c > d]"),
        ("<IMG\n SRC = a.jpg\talt>", "[IMG SRC=a.jpg alt=]"),
        ("<a href=/x/y/>z", "[a href=/x/y/]z"),
        ("<br/><hr />", "[br][hr]"),
        ("<a =b c==d>", "[a =b= c==d]"),
        ("<a b=>c", "[a b=]c"),
        ("<p a=\"1\"b=\"2\">", "[p a=1 b=2]"),
        ("<p title='a&quot;b'>", "[p title=a\"b]"),
        ("1 < 2 <3 <> <", "1 < 2 <3 <> <"),
        ("a<!-- <b> -->c<!-->d<!--->e<!-- f", "acde"),
        ("<?xml version='1'?>a<![CDATA[b]]>c", "ac"),
        ("</ p>a</>b</p class=x>c", "ab[/p]c"),
        ("<script>if (a<b) '<img src=x>'</script>c", "[script]if (a<b) '<img src=x>'[/script]c"),
        ("<script>a</scripts></SCRIPT >b", "[script]a</scripts>[/SCRIPT]b"),
        ("<title><b>&amp;</title>", "[title]<b>&[/title]"),
        ("<style>never closed <p>", "[style]never closed <p>"),
        ("<noscript><img src=a></noscript>", "[noscript][img src=a][/noscript]"),
        ("a<img src=\"cut", "a"),
        ("a<img src", "a"),
        ("a<", "a<"),
        ("grün<ü><img alt=日本語 src=ä>", "grün<ü>[img alt=日本語 src=ä]"),
    ] {
        assert_eq!(reading(html), expect, "{html}");
    }
}

#[test]
fn the_first_attribute_of_a_name_counts() {
    let Some(Token::Open(tag)) = tokens("<img SRC=a src=b alt>").next() else { panic!() };
    assert_eq!(tag.get("src").as_deref(), Some("a"));
    assert_eq!(tag.get("alt").as_deref(), Some(""));
    assert_eq!(tag.get("title"), None);
}

proptest! {
    /// Text that looks like markup more often than chance would have it.
    #[test]
    fn any_text_is_read_to_the_end(html in "(<|>|/|!|-|=|\"|'|&|;| |a|img|script|src|ü|日|</script>|<!--|\\PC){0,60}") {
        let mut length = 0;
        for token in tokens(&html) {
            match token {
                Token::Text(text) => {
                    prop_assert!(!text.is_empty());
                    length += text.len();
                }
                Token::Open(tag) => {
                    length += tag.name.len() + tag.attributes.len();
                    prop_assert!(tag.get("src").is_none_or(|src| src.len() <= html.len()));
                }
                Token::Close(name) => length += name.len(),
            }
        }
        prop_assert!(length <= html.len());
    }

    #[test]
    fn what_is_escaped_comes_back(value in "\\PC{0,20}") {
        let escaped = value.replace('&', "&amp;").replace('"', "&quot;");
        let html = format!("<img alt=\"{escaped}\">");
        let Some(Token::Open(tag)) = tokens(&html).next() else { panic!("{html}") };
        let alt = tag.get("alt");
        prop_assert_eq!(alt.as_deref(), Some(value.as_str()));
    }
}
