"""HTML and addresses as they are written, well and badly."""

import unittest

from pixcrawler import Close, Tag, resolve, tags, tokens


class Pages(unittest.TestCase):
    def test_documents(self):
        for html, expect in [
            ("", []),
            ("<!DOCTYPE html><p>a &amp; b</p>", [Tag("p", {}), "a & b", Close("p")]),
            ("<IMG\n SRC = a.jpg src=b alt/>", [Tag("img", {"src": "a.jpg", "alt": ""})]),
            ("<script>if (a<b) '&amp;'</script>", [Tag("script", {}), "if (a<b) '&amp;'", Close("script")]),
            ("a<!-- <b> -->c", ["a", "c"]),
        ]:
            self.assertEqual(list(tokens(html)), expect, html)

    def test_tags_by_name(self):
        found = [tag.attributes["href"] for tag in tags("<a href=1><img src=2><A href='3&amp;'></a>", "a")]
        self.assertEqual(found, ["1", "3&"])

    def test_addresses(self):
        base = "https://example.org/gallery/index.html?q"
        for reference, expect in [
            (" photo.jpg\n", "https://example.org/gallery/photo.jpg"),
            ("//cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"),
            ("../my photo.jpg?w=1 2#f", "https://example.org/my%20photo.jpg?w=1%202"),
            ('grün"<.jpg', "https://example.org/gallery/gr%C3%BCn%22%3C.jpg"),
            ("a%20b's(1).jpg", "https://example.org/gallery/a%20b's(1).jpg"),
            ("?y", "https://example.org/gallery/index.html?y"),
            ("", "https://example.org/gallery/index.html?q"),
            ("data:image/gif;base64,R0lGOD", None),
            ("javascript:void(0)", None),
            ("http://[", None),
        ]:
            self.assertEqual(resolve(base, reference), expect, reference)
        self.assertIsNone(resolve("example.org/", "a"))
