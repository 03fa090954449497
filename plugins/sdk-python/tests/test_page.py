"""HTML and addresses as they are written, well and badly."""

import unittest

from pixcrawler import Candidate, Close, Tag, decode, each, resolve, tags, tokens


class Pages(unittest.TestCase):
    def test_documents(self):
        for html, expect in [
            ("", []),
            ("<!DOCTYPE html><p>a &amp; b</p>", [Tag("p", {}), "a & b", Close("p")]),
            ("<IMG\n SRC = a.jpg src=b alt/>", [Tag("img", {"src": "a.jpg", "alt": ""})]),
            ("<p a=\"1\"b='2'><a =b c==d>", [Tag("p", {"a": "1", "b": "2"}), Tag("a", {"=b": "", "c": "=d"})]),
            ("1 < 2 <3 <> <", ["1 < 2 <3 <> <"]),
            ("a<!-- <b> -->c<!-->d<!-- e --!>f", ["a", "c", "d", "f"]),
            ("</>a</ p>b</p title='>'>c", ["a", "b", Close("p"), "c"]),
            ("<script>if (a<b) '&amp;'</script>", [Tag("script", {}), "if (a<b) '&amp;'", Close("script")]),
            ("<script><!-- <script></script> --></script>",
             [Tag("script", {}), "<!-- <script></script> -->", Close("script")]),
            ("<title><b>&amp;\0</title>", [Tag("title", {}), "<b>&\ufffd", Close("title")]),
            ("<noembed><b></noembed>", [Tag("noembed", {}), "<b>", Close("noembed")]),
            ("<plaintext></plaintext>&amp;", [Tag("plaintext", {}), "</plaintext>&amp;"]),
            ("<svg><style/><![CDATA[a<b]]></svg><style/><b>",
             [Tag("svg", {}), Tag("style", {}), "a<b", Close("svg"), Tag("style", {}), "<b>"]),
            ("<image src=a>", [Tag("img", {"src": "a"})]),
            ("<A\u212a \u212a=1 B\0=\0>", [Tag("a\u212a", {"\u212a": "1", "b\ufffd": "\ufffd"})]),
            ("a\r\nb\rc", ["a\nb\nc"]),
            ("a<img src=\"cut>", ["a"]),
            ("a<img src", ["a"]),
            ("a</", ["a</"]),
        ]:
            self.assertEqual(list(tokens(html)), expect, html)

    def test_tags_by_name(self):
        found = [tag.attributes["href"] for tag in tags("<a href=1><img src=2><A href='3&amp;'></a>", "a")]
        self.assertEqual(found, ["1", "3&"])

    def test_references(self):
        for text, expect in [
            ("&lt;&gt;&quot;&apos;&#39;&nbsp;", "<>\"''\u00a0"),
            ("&Ccaron;&rarr;&alpha;&Afr;&NotEqualTilde;", "Č→α\U0001d504\u2242\u0338"),
            ("&#8211;&#x2013;&#X2013;&#8211", "––––"),
            ("&#128;&#146;&#x97;&#129;", "€’—\x81"),
            ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"),
            (f"&#{'9' * 5000};&#{'0' * 5000}65;&#1;&#xfffe;", "\ufffdA\x01\ufffe"),
            ("&copy 2024, a?b&copy=1&c;&copyright;", "© 2024, a?b©=1&c;©right;"),
            ("&notit;&notin;&Copy;&alpha &hellip", "¬it;∉&Copy;&alpha &hellip"),
            ("&;&#;&#x;&unknown;&amp;amp;&", "&;&#;&#x;&unknown;&amp;&"),
        ]:
            self.assertEqual(decode(text), expect, text)
        # In an attribute they are part of an address where that can be.
        for value, expect in [
            ("?a=1&copy=2&copyright&reg", "?a=1&copy=2&copyright®"),
            ("&copy;=1&amp", "©=1&"),
            ("&notit;&#146", "&notit;’"),
        ]:
            self.assertEqual(next(tags(f'<a href="{value}">')).attributes["href"], expect, value)

    def test_long_pages_take_as_long_as_they_are(self):
        for piece in (
            "<", "<!--", "<script>", "<script><!--<script>", '<a b="', "<a b='c", "</", "</a b", "<title>", "&",
            "&copy", "&a", "&#", "<a ", "<a /", "<!", "<![CDATA[", "<svg><![CDATA[", "-->", "<svg>", "<a b=c\n",
            "\0", " ",
        ):
            html = piece * ((256 << 10) // len(piece))
            for page in (html, f"<svg>{html}", f"<a href='{html}", f"<a href='{html}'>", f"<script>{html}"):
                self.assertLessEqual(sum(1 for _ in tokens(page)), len(page))
            self.assertIsNone(resolve("https://example.org/", f"a{html}b"))
            address = piece * (8_000 // len(piece))
            for start in ("", "//", "https:", "https://a@", "https://[", "https://1."):
                resolve(f"https://{address}", f"{start}{address}@")

    def test_addresses(self):
        """This table stands in the tests for JavaScript, too."""
        base = "https://example.org/gallery/index.html?q"
        for reference, expect in [
            (" photo.jpg\n", "https://example.org/gallery/photo.jpg"),
            ("pho\n\tto.jpg", "https://example.org/gallery/photo.jpg"),
            ("//cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"),
            ("\\\\cdn.example.org\\a.jpg", "https://cdn.example.org/a.jpg"),
            ("HTTP://Example.org:80/a.jpg", "http://example.org/a.jpg"),
            ("https:a.jpg", "https://example.org/gallery/a.jpg"),
            ("https:/a.jpg", "https://example.org/a.jpg"),
            ("https:///cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"),
            ("http:a.jpg", "http://a.jpg/"),
            ("https://example.org", "https://example.org/"),
            ("https://example.org?a", "https://example.org/?a"),
            ("https://a:b@c@example.org:8080", "https://a:b%40c@example.org:8080/"),
            ("https://0x7f.1/", "https://127.0.0.1/"),
            ("https://[1:0:0:2:0:0:0:3]/", "https://[1:0:0:2::3]/"),
            ("https://[::1.2.3.4]/", "https://[::102:304]/"),
            ("https://GR\u00fcn.example/", "https://gr\u00fcn.example/"),
            ("../my photo.jpg?w=1 2#f", "https://example.org/my%20photo.jpg?w=1%202"),
            ("%2e%2E/./%2e/a/..", "https://example.org/"),
            ("gr\u00fcn\"<.jpg?gr\u00fcn'", "https://example.org/gallery/gr%C3%BCn%22%3C.jpg?gr\u00fcn%27"),
            ("?\ud83e=\u72d0\U0001f98a&%FC", "https://example.org/gallery/index.html?\ufffd=\u72d0\U0001f98a&%FC"),
            ("\ud83e.jpg", "https://example.org/gallery/%EF%BF%BD.jpg"),
            ("a%20b's(1)%zz.jpg", "https://example.org/gallery/a%20b's(1)%zz.jpg"),
            ("..\\a.jpg?b=\\", "https://example.org/a.jpg?b=\\"),
            ("/a?b#c?d", "https://example.org/a?b"),
            ("?", "https://example.org/gallery/index.html?"),
            ("?y", "https://example.org/gallery/index.html?y"),
            ("", "https://example.org/gallery/index.html?q"),
            ("data:image/gif;base64,R0lGOD", None),
            ("javascript:void(0)", None),
            ("https://", None),
            ("https://a b/", None),
            ("https://a:b/", None),
            ("https://a:65536/", None),
            ("https://@/", None),
            ("https://256.1.1.1/", None),
            ("https://1.2.3.4.5/", None),
            ("https://[1::2::3]/", None),
            ("http://[", None),
        ]:
            self.assertEqual(resolve(base, reference), expect, ascii(reference))
            self.assertEqual(expect and resolve("", expect), expect, ascii(reference))
        self.assertIsNone(resolve("example.org/", "a"))
        self.assertEqual(resolve("example.org/", base), base)
        for missing in (None, 5):
            self.assertIsNone(resolve(base, missing))

    def test_addresses_that_are_too_long(self):
        base = "https://example.org/"
        full = base + "a" * (8_192 - len(base))
        self.assertEqual(resolve(base, full), full)
        self.assertEqual(resolve(base, full.removeprefix(base)), full)
        wide = "\u00fc" * 2_000
        for base, reference in [
            (base, f"{full}a"), (full, "?b"), (f"{full}a", "/b"), (base, wide), (base, f"?{wide}{wide}{wide[:90]}"),
        ]:
            self.assertIsNone(resolve(base, reference))

    def test_what_is_left_out_of_a_page_is_counted(self):
        page = f'<img src=a.jpg><img><img src="data:,"><img src="/{"b" * 8_192}">'
        found = each(
            list(tags(page, "img")),
            lambda tag: Candidate(resolve("https://example.org/", tag.attributes.get("src"))),
        )
        self.assertEqual([one.url for one in found.candidates], ["https://example.org/a.jpg"])
        self.assertEqual(found.warnings, ["3 of 4 results cannot be read: not the address of a picture: None"])
