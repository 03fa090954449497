//! Documents as they are written, well and badly.

use proptest::prelude::*;

use super::*;

/// Writes tokens down so that a document's reading fits a line.
fn reading(xml: &str) -> String {
    tokens(xml)
        .map(|token| match token {
            Token::Open(tag) => {
                let attributes: String =
                    tag.attributes().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("[{}{attributes}]", tag.name)
            }
            Token::Close(name) => format!("[/{name}]"),
            Token::Text(text) => text.decode().into_owned(),
        })
        .collect()
}

#[test]
fn documents() {
    for (xml, expect) in [
        ("", ""),
        ("just text", "just text"),
        ("<?xml version='1.0' encoding='utf-8'?><a>b</a>", "[a]b[/a]"),
        ("<?xml-stylesheet href='a>b'?><a>b</a >", "[a]b[/a]"),
        ("<a/><b c='d'/><e />", "[a][/a][b c=d][/b][e][/e]"),
        ("<a b='c/'>d</a>", "[a b=c/]d[/a]"),
        ("<x:a xmlns:x='urn:x' x:b=\"1\"/>", "[x:a xmlns:x=urn:x x:b=1][/x:a]"),
        ("<a\n b = 'c'\t/>", "[a b=c][/a]"),
        ("<title>a<script>b</script></title>", "[title]a[script]b[/script][/title]"),
        ("<a><![CDATA[<b>&amp;</b>]]></a>", "[a]<b>&amp;</b>[/a]"),
        ("<a>b<![CDATA[]]>c<![CDATA[d]]]]><![CDATA[>e]]></a>", "[a]bcd]]>e[/a]"),
        ("<a><![CDATA[never closed <b>", "[a]never closed <b>"),
        ("a<!-- <b> -->c<!---->d<!-- e", "acd"),
        ("<!DOCTYPE a><a>b</a>", "[a]b[/a]"),
        ("<!DOCTYPE a [<!ENTITY b \"c>d\"> ]\n><a>&b;</a>", "[a]&b;[/a]"),
        ("a<!DOCTYPE a [<!ENTITY b 'c'><a>d</a>", "a"),
        ("&lt;a&gt; &#65;&#x42; &amp;amp; &nope; ?a=1&copy=2&b", "<a> AB &amp; &nope; ?a=1&copy=2&b"),
        ("1 < 2 <3 <> < ", "1 < 2 <3 <> < "),
        ("</a></></ b><c", "[/a]"),
        ("<a b='cut", ""),
        ("a<b", "a"),
        ("<_a/><é>b</é>", "[_a][/_a][é]b[/é]"),
        ("<a<b>c</b>", "[a <b=]c[/b]"),
    ] {
        assert_eq!(reading(xml), expect, "{xml}");
    }
}

#[test]
fn names_and_prefixes() {
    for (name, prefix, rest) in [("a", "", "a"), ("a:b", "a", "b"), (":b", "", "b"), ("a:", "a", "")] {
        assert_eq!((split(name), local(name)), ((prefix, rest), rest), "{name}");
    }
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let xml = "<a><b/>c<![CDATA[d]]></a>";
    let all: Vec<_> = tokens(xml).collect();
    let mut first = tokens(xml);
    for read in 0..all.len() {
        // Between a tag that closes itself and its end there is no place in the text.
        if first.closing.is_none() {
            let rest: Vec<_> = tokens_from(xml, first.offset()).collect();
            assert_eq!(rest, all[read..], "after {read}");
        }
        first.next();
    }
    assert_eq!(tokens_from("grün", 3).count(), 0);
    assert_eq!(tokens_from("a", 9).count(), 0);
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(any in ".*", likely in "([<>/!?\\[\\]='\" a-c-]|<!\\[CDATA\\[|\\]\\]>|<!--)*") {
        for xml in [&any, &likely] {
            let mut all = tokens(xml);
            let mut before = 0;
            while let Some(token) = all.next() {
                prop_assert!(all.offset() > before || matches!(token, Token::Close(_)));
                before = all.offset();
            }
            prop_assert_eq!(all.offset(), xml.len());
        }
    }
}
