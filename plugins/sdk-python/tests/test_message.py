"""Requests, answers, candidates and licences."""

import unittest

from pixcrawler import (
    Answer, Candidate, Dimensions, Failure, InvalidQuery, LayoutChanged, License, Query, RateLimited, Skipped,
    Unauthorized, Unavailable, creative_commons_id, dimensions, get, license_from_url, media_type, post,
)

URL = "https://example.org/list?q=secret"


class Requests(unittest.TestCase):
    def test_parameters_are_escaped_and_appended(self):
        self.assertEqual(get("https://example.org/").url, "https://example.org/")
        asked = get("https://example.org/?k=v", {"q": "ü&=#+'~", "n": 1, "no": None, "yes": True, "t": ["a", "b"]})
        self.assertEqual(asked.url, "https://example.org/?k=v&q=%C3%BC%26%3D%23%2B%27~&n=1&yes=true&t=a&t=b")
        asked = post("https://example.org/", "application/json", "{}", key="k")
        self.assertEqual((asked.method, asked.key, asked.body), ("post", "k", "{}"))
        self.assertEqual(asked.headers, [("content-type", "application/json")])

    def test_an_option_without_a_value_is_not_set(self):
        query = Query("", options=[("a", ""), ("b", "1")], credentials=["api"])
        self.assertEqual([query.option(name) for name in "abc"], [None, "1", None])
        self.assertEqual([query.has_credential(name) for name in ("api", "b")], [True, False])


class Answers(unittest.TestCase):
    def test_statuses_become_errors(self):
        for status, error, message in [
            (401, Unauthorized, "https://example.org/list asks for a credential"),
            (404, LayoutChanged, "https://example.org/list answers 404"),
            (403, Unavailable, "https://example.org/list answers 403"),
            (503, Unavailable, "https://example.org/list answers 503"),
            (429, RateLimited, "the site limits the rate of requests"),
        ]:
            with self.assertRaises(error) as raised:
                Answer.of(URL, status, "").response()
            self.assertEqual(str(raised.exception), message)
        self.assertEqual(Answer.of(URL, 204, "").response().status, 204)

    def test_retry_after_is_read_where_it_is_seconds(self):
        for value, seconds in [("30", 30), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]:
            with self.assertRaises(RateLimited) as raised:
                Answer.of(URL, 429, "", [("retry-after", value)]).response()
            self.assertEqual(raised.exception.seconds, seconds)

    def test_failures_become_errors(self):
        for failure, error in [
            (Failure("status", 429), RateLimited),
            (Failure("status", 502), Unavailable),
            (Failure("timeout"), Unavailable),
            (Failure("skipped"), Skipped),
            (Failure("network", "reset"), Unavailable),
            (Failure("denied", "not granted"), InvalidQuery),
            (Failure("robots", "*"), InvalidQuery),
            (Failure("too-large", 9), InvalidQuery),
        ]:
            with self.assertRaises(error):
                Answer(URL, failure).response()

    def test_unreadable_bodies_say_what_was_expected(self):
        def read(body, *fields):
            return Answer.of(URL, 200, body).response().json(*fields)

        self.assertEqual(read('{"a": [{"b": 1}]}', "a")["a"][0]["b"], 1)
        with self.assertRaisesRegex(LayoutChanged, "^answer of https://example.org/list: "):
            read("<html>")
        for body in ('{"b": 1}', '{"a": null}', "null", "[]", "7"):
            with self.assertRaisesRegex(LayoutChanged, "missing field `a`$"):
                read(body, "a")
        with self.assertRaisesRegex(LayoutChanged, "^missing field `c`$"):
            read('{"a": [{"b": 1}]}')["a"][0]["c"]
        self.assertIsNone(read('{"a": 1}').get("b"))
        with self.assertRaisesRegex(LayoutChanged, "binary"):
            read(b"{}")


class Candidates(unittest.TestCase):
    def test_the_address_of_a_picture_is_needed(self):
        for url in (None, 7, "", "/a.jpg", "data:image/gif;base64,"):
            with self.assertRaises(LayoutChanged):
                Candidate(url)

    def test_types_are_checked(self):
        for fields in ({"title": 7}, {"tags": "a"}, {"tags": [None]}, {"byte_size": -1}, {"byte_size": True}):
            with self.assertRaises(LayoutChanged):
                Candidate("https://example.org/", **fields)

    def test_classes_are_pairs_of_their_own(self):
        made = Candidate("https://example.org/", extra=[("a.b", "c")]).with_labels(["fox", "wild"])
        self.assertEqual(made.extra, [("a.b", "c"), ("label", "fox"), ("label", "wild")])
        for labels in ("fox", [None], None):
            with self.assertRaises(LayoutChanged):
                made.with_labels(labels)

    def test_a_size_needs_both_sides(self):
        self.assertEqual(dimensions(2, 1), Dimensions(2, 1))
        self.assertEqual(dimensions("2", "1"), Dimensions(2, 1))
        for sides in ((2, None), (0, 1), ("0", 1), ("2 cm", 1), ("-2", 1), ("1.5", 1)):
            self.assertIsNone(dimensions(*sides))

    def test_media_types_by_extension(self):
        types = [media_type(extension) for extension in ("jpg", ".PNG", "tif", "mp4", "")]
        self.assertEqual(types, ["image/jpeg", "image/png", "image/tiff", None, None])

    def test_licences_by_address(self):
        for url, id in [
            ("https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"),
            ("http://www.creativecommons.org/licenses/by-nc-sa/2.0/deed.de", "cc-by-nc-sa-2.0"),
            ("https://creativecommons.org/licenses/by-nd-nc/1.0/jp/", "cc-by-nc-nd-1.0"),
            ("creativecommons.org/licenses/by-sa/3.0", "cc-by-sa-3.0"),
            ("https://creativecommons.org/licenses/by/deed.en", "cc-by"),
            ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
            ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0"),
            ("https://creativecommons.org/about/", "unknown"),
            ("https://creativecommons.org.example.org/licenses/by/4.0/", "unknown"),
            ("", "unknown"),
            (" HTTPS://CreativeCommons.org/licenses/by/4.0/legalcode.de?ref=chooser#s1 ", "cc-by-4.0"),
            ("https://creativecommons.org/licenses/by/2.1/jp/", "cc-by-2.1"),
            ("https://creativecommons.org/licenses/by-nc-only/4.0/", "unknown"),
            ("https://creativecommons.org/licenses/bye/4.0/", "unknown"),
            ("https://creativecommons.org/licenses/by/4.0,3.0/", "unknown"),
            ("https://creativecommons.org/licenses/by/5/", "unknown"),
            ("https://creativecommons.org/publicdomain/zero/9.9/", "unknown"),
            ("https://creativecommons.org/licenses/by/4.0/ but ask first", "unknown"),
            ("https://creativecommons.org/licenses/by/4.0/%20but%20ask", "unknown"),
            ("https://creativecommons.org/?licenses/by/4.0/", "unknown"),
            ("not https://creativecommons.org/licenses/by/4.0/", "unknown"),
            ("ftp://creativecommons.org/licenses/by/4.0/", "unknown"),
            ("//creativecommons.org/licenses/by-sa/3.0", "unknown"),
            ("https://creativecommons.org/licenses/by/\u00b2.0/", "unknown"),
        ]:
            self.assertEqual(license_from_url(url), License(id, url=url))

    def test_licences_by_code(self):
        for code, version, id in [
            ("BY-NC-ND", "2.0", "cc-by-nc-nd-2.0"),
            ("by-nd-nc", "1.0", "cc-by-nc-nd-1.0"),
            ("by", None, "cc-by"),
            ("cc0", None, "cc0-1.0"),
            ("pdm", "", "pdm-1.0"),
            ("sampling+", "1.0", "unknown"),
            ("by-nd-sa", "4.0", "unknown"),
            ("by-nc-only", None, "unknown"),
            ("by", "4.0 or so", "unknown"),
            ("by", "7.0", "unknown"),
            ("cc0", "4.0", "unknown"),
            ("constructor", None, "unknown"),
            ("", None, "unknown"),
        ]:
            self.assertEqual(creative_commons_id(code, version), id)
