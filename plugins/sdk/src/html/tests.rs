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
            Token::Text(text) => text.decode().into_owned(),
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
        ("a<!-- <b> --!>c<!----!>d<!--!>e<!-- -!>f-->g", "acdg"),
        ("<?xml version='1'?>a<![CDATA[b]]>c", "ac"),
        ("</ p>a</>b</p class='x>y'>c", "ab[/p]c"),
        ("a</", "a</"),
        ("<script>if (a<b) '<img src=x>'</script>c", "[script]if (a<b) '<img src=x>'[/script]c"),
        ("<script>a</scripts></SCRIPT >b", "[script]a</scripts>[/SCRIPT]b"),
        ("<title><b>&amp;</title>", "[title]<b>&[/title]"),
        ("<style>never closed <p>", "[style]never closed <p>"),
        ("<script><!-- <script>a</script>b</script>c", "[script]<!-- <script>a</script>b[/script]c"),
        ("<script><!-- <script>a</script>--></script>c", "[script]<!-- <script>a</script>-->[/script]c"),
        ("<script><!-- a</script>c", "[script]<!-- a[/script]c"),
        ("<script><!-->a<script>b</script>c", "[script]<!-->a<script>b[/script]c"),
        ("<script>a</script", "[script]a</script"),
        (
            "<noembed><b>&amp;</noembed><noframes><p></noframes>",
            "[noembed]<b>&amp;[/noembed][noframes]<p>[/noframes]",
        ),
        ("<plaintext><b>&amp;</plaintext>", "[plaintext]<b>&amp;</plaintext>"),
        (
            "<svg><title/><style/><image href=a /></svg><b>",
            "[svg][title][/title][style][/style][image href=a][/image][/svg][b]",
        ),
        (
            "<svg><style><![CDATA[a>b]]></style></svg><![CDATA[c>d",
            "[svg][style]<![CDATA[a>b]]>[/style][/svg]d",
        ),
        ("<svg><desc><![CDATA[a>b]]></desc></svg>", "[svg][desc]a>b[/desc][/svg]"),
        ("<svg/>a", "[svg][/svg]a"),
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

const PIECES: [&str; 14] = [
    "<img src=\"a.jpg\" srcset='b.jpg 2x, c.jpg 3x' alt=x>",
    "<a href=/x?a=1&amp;b=2 rel=next>",
    "</a >",
    "<!-- a -- > b --!> -->",
    "<!DOCTYPE html>",
    "<script type=application/ld+json>{\"a\": \"</b>\"}</script >",
    "<title>a &lt; b</title>",
    "<style>a > b {}</style",
    "<textarea><img></textarea>",
    "<![CDATA[ a ]]>",
    "<?xml version='1'?>",
    "text &#x41; &#0; &#x110000; &bogus; &amp",
    "<meta content='a' property=\"og:image\" / >",
    "<日本 ü=é>",
];

/// Much of what never ends: a reader that begins anew at each would not come to the end.
#[test]
fn long_pages_take_as_long_as_they_are() {
    for piece in PIECES.into_iter().chain([
        "<",
        "<!--",
        "<script>",
        "<a b=\"",
        "<a b='c",
        "</",
        "<title>",
        "&",
        "<a ",
        "<!",
        "<![CDATA[",
    ]) {
        for half in [piece, &piece[..piece.char_indices().nth(piece.chars().count() / 2).unwrap().0]] {
            let html = half.repeat((256 << 10) / half.len().max(1));
            let read: usize = tokens(&html)
                .map(|token| match token {
                    Token::Open(tag) => tag.attributes().count() + tag.get("src").map_or(0, |src| src.len()),
                    Token::Close(name) => name.len(),
                    Token::Text(text) => text.decode().len(),
                })
                .sum();
            assert!(read <= 2 * html.len(), "{half}");
        }
    }
}

proptest! {
    /// Text that looks like markup more often than chance would have it.
    #[test]
    fn any_text_is_read_to_the_end(html in "(<|>|/|!|-|=|\"|'|&|;| |a|img|script|src|ü|日|</script>|<!--|\\PC){0,60}") {
        let mut length = 0;
        for token in tokens(&html) {
            match token {
                Token::Text(text) => {
                    prop_assert!(!text.raw.is_empty());
                    length += text.raw.len();
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

    /// Pages as they are written, cut and glued.
    #[test]
    fn a_cut_page_is_read_to_the_end(parts in prop::collection::vec((0..PIECES.len(), 0..40usize), 0..30)) {
        let mut html = String::new();
        for (piece, length) in parts {
            html.extend(PIECES[piece].chars().take(length));
        }
        let open = tokens(&html).filter(|token| matches!(token, Token::Open(_))).count();
        prop_assert!(open <= html.matches('<').count());
        for token in tokens(&html) {
            if let Token::Open(tag) = token {
                prop_assert!(tag.attributes().count() <= html.len());
            }
        }
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
