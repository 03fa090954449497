"""What sites answer that nobody expected: never the plugin's fault, never a wrong value."""

import unittest
from datetime import datetime

from pixcrawler import (
    Answer, Candidate, Checksum, Dimensions, LayoutChanged, License, RateLimited, count, creative_commons_id,
    dimensions, each, expect_none, get, media_type, need,
)

URL = "https://example.org/1.jpg"


def read(text, *fields):
    return Answer.of("https://example.org/", 200, text).response().json(*fields)


def picture(item):
    """A result as a source reads it."""
    return Candidate(
        need(item, "url"),
        title=item.get("title"),
        byte_size=item.get("size"),
        dimensions=dimensions(item.get("width"), item.get("height")),
        license=License(creative_commons_id("by", item.get("version")), url=item.get("terms")),
        mime=media_type(item.get("type", "")),
        tags=[tag["name"] for tag in item.get("tags", [])],
        published=datetime.fromisoformat(item["time"]).isoformat() if "time" in item else None,
        extra=[("test.kind", item["kind"])] if "kind" in item else [],
        headers=[("referer", item["referer"])] if "referer" in item else [],
    )


class Results(unittest.TestCase):
    def test_an_odd_value_costs_one_result(self):
        for fields in (
            '"size": 36893488147419103232', '"size": 1e400', '"size": "1"', '"title": 7', '"title": {}',
            '"version": 2.0', '"terms": 5', '"tags": "fox"', '"tags": [null]', '"tags": [{"name": 5}]', '"tags": [{}]', '"kind": 5',
            '"kind": null', '"referer": 5', '"time": "yesterday"', '"type": 5', '"url": null', '"url": "/2.jpg"',
        ):
            with self.subTest(fields[:80]):
                results = read(f'[{{"url": "{URL}"}}, {{"url": "https://example.org/2.jpg", {fields}}}, null]')
                found = each(results, picture)
                self.assertEqual([one.url for one in found.candidates], [URL])
                self.assertRegex(found.warnings[0], "^2 of 3 results cannot be read: .")
                with self.assertRaisesRegex(LayoutChanged, "^in all results: ."):
                    each(results[1:], picture)

    def test_what_is_odd_but_not_used_costs_nothing(self):
        results = read(f'[{{"url": "{URL}", "title": "", "unused": 1e400}}]')
        self.assertEqual(each(results, picture).candidates[0].title, "")
        self.assertEqual(read(f'{{"a": 1, "unused": {"9" * 5000}}}', "a")["a"], 1)

    def test_the_authors_mistakes_stay_the_authors(self):
        with self.assertRaises(NameError):
            each([{}], lambda _: missing)  # noqa: F821 (the mistake)
        with self.assertRaisesRegex(NameError, "Candidate has no field `licence`; did you mean `license`?"):
            each([{}], lambda _: Candidate(URL, licence=License("cc0-1.0")))

        def limited(_):
            raise RateLimited(30)

        with self.assertRaises(RateLimited):
            each([{}], limited)


def one(url, fields):
    """The candidate of a result with that address and these fields; none where it cannot be read."""
    try:
        return each([read(f'{{"url": "{url}", {fields}}}')], picture).candidates[0]
    except LayoutChanged:
        return None


class Tables(unittest.TestCase):
    """These stand in the tests of every SDK."""

    def test_addresses_of_pictures(self):
        for url in (URL, "HTTPS://example.org/1.jpg", "Http://example.org/1.jpg"):
            self.assertEqual(one(url, '"a": 1').url, url)
        for url in ("", "/2.jpg", "//example.org/2.jpg", "ftp://example.org/2.jpg", "https:/2.jpg", "data:,", " https://a/",
                    "http\u017f://a/"):
            self.assertIsNone(one(url, '"a": 1'), url)

    def test_sizes_of_pictures(self):
        for width in ("640", "640.0", "6.4e2", "64000e-2", '"640"', '"0640"', '"640.0"'):
            found = one(URL, f'"width": {width}, "height": 480')
            self.assertEqual(found.dimensions, Dimensions(640, 480), width)
        # What is no size is not known, and the picture is one all the same.
        for width in (
            "null", "0", "0.0", "-0", '"0"', '""', '"auto"', '"640px"', '"640.5"', '"640."', '"-1"', "640.5", "-1", "-640.0",
            "true", "[640]", "{}", "4294967296", "4294967296.0", '"4294967296"', "36893488147419103232",
            '"36893488147419103232"', "1e400", "9" * 5000, f'"{"9" * 5000}"',
        ):
            self.assertIsNone(one(URL, f'"width": {width}, "height": 480').dimensions, width)

    def test_counts(self):
        for size, expect in [
            ("640", 640), ("640.0", 640), ("6.4e2", 640), ("0", 0), ("0.0", 0), ("9007199254740991", 9007199254740991),
            ("null", None),
        ]:
            found = one(URL, f'"size": {size}').byte_size
            # The host takes no float for a size.
            self.assertEqual((found, type(found)), (expect, type(expect)), size)
        for size in (
            "640.5", "-1", "-640.0", "true", "[640]", "{}", '"640"', '""', "9007199254740992", "36893488147419103232",
            "1e400",
        ):
            self.assertIsNone(one(URL, f'"size": {size}'), size)
            with self.assertRaises(LayoutChanged, msg=size):
                count(read(f'{{"n": {size}}}'), "n")
        self.assertEqual(count(read('{"n": 3.0}'), "n"), 3)


class Texts(unittest.TestCase):
    def test_halves_of_characters_are_marked(self):
        for json, expect in [
            (r"\ud800", "\ufffd"), (r"a\uDC00b", "a\ufffdb"), (r"\ud83e\udd8a", "\U0001f98a"),
            (r"\ud83e\ud83e\udd8a", "\ufffd\U0001f98a"), (r"\\ud800", r"\ud800"), (r"\\\ud800", "\\\ufffd"),
            (r"\ud800\n", "\ufffd\n"),
        ]:
            self.assertEqual(read(f'{{"{json}": ["{json}"]}}'), {expect: [expect]}, json)

    def test_what_is_no_json_is_a_changed_layout(self):
        def nested(depth):
            return '{"a": 1, "unused": ' + "[" * depth + r'"]\"["' + "]" * depth + "}"

        self.assertEqual(read(nested(127), "a")["a"], 1)
        self.assertEqual(len(read('["' + "[" * 5000 + '", ' + "[]," * 5000 + " 1]")), 5002)
        deep = [nested(128), nested(5000), "[" * 5000, '{"a":' * 100_000]
        for text in (*deep, '{"a": NaN}', '{"a": -Infinity}', "", '"'):
            with self.assertRaisesRegex(LayoutChanged, "^answer of https://example.org/: "):
                read(text, "a")
        with self.assertRaises(LayoutChanged):
            read('"' + r"\"" * 1_000_000)


class Values(unittest.TestCase):
    def test_a_count_is_a_number(self):
        self.assertEqual([count({"n": 3}, "n"), count({"n": 0}, "n"), count({}, "n", 7)], [3, 0, 7])
        for n in ("1", "x", 1.5, -1, True, [1], {}, float("inf"), None):
            with self.assertRaises(LayoutChanged):
                count({"n": n}, "n", 7)
        for result in ({}, {"n": None}, None, 7):
            with self.assertRaisesRegex(LayoutChanged, "^missing field `n`$"):
                count(result, "n")

    def test_what_is_counted_must_be_given(self):
        expect_none(0, "photos")
        with self.assertRaisesRegex(LayoutChanged, "^expected 7 results in `photos`, found none$"):
            expect_none(7, "photos")

    def test_what_leaves_a_component_is_of_the_contracts_types(self):
        for seconds in (1.5, -1, 1 << 32, "30", None):
            self.assertIsNone(RateLimited(seconds).seconds)
        for fields in (
            {"license": License(5)}, {"license": License("by", url=5)}, {"license": "by"},
            {"dimensions": Dimensions(1, None)}, {"dimensions": Dimensions(1 << 32, 1)},
            {"checksum": Checksum("crc32", "00")}, {"checksum": Checksum("md5", 0)},
            {"headers": [("a", 1)]}, {"headers": {}}, {"alternates": [None]}, {"extra": "a"}, {"byte_size": 1 << 64},
        ):
            with self.assertRaises(LayoutChanged, msg=fields):
                Candidate(URL, **fields)
        with self.assertRaises(LayoutChanged):
            get(5)
