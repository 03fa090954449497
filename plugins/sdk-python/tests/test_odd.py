"""What sites answer that nobody expected: never the plugin's fault, never a wrong value."""

import unittest
from datetime import datetime

from pixcrawler import (
    Answer, Candidate, Checksum, Dimensions, LayoutChanged, License, RateLimited, count, creative_commons_id,
    dimensions, each, get, media_type, need,
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
            '"width": 5000000000, "height": 1', '"width": "5000000000", "height": 1', '"width": 1.5', '"width": -1',
            '"width": true', '"width": [1]', f'"width": {"9" * 5000}', f'"width": "{"9" * 5000}"',
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

    def test_what_is_odd_but_right_is_kept(self):
        results = read('[{"url": "HTTPS://example.org/1.jpg", "width": 640.0, "height": "480", "title": ""}]')
        [found] = each(results, picture).candidates
        self.assertEqual((found.dimensions, found.title), (Dimensions(640, 480), ""))
        self.assertEqual(read(f'{{"a": 1, "unused": {"9" * 5000}}}', "a")["a"], 1)

    def test_the_authors_mistakes_stay_the_authors(self):
        with self.assertRaises(NameError):
            each([{}], lambda _: missing)  # noqa: F821 (the mistake)

        def limited(_):
            raise RateLimited(30)

        with self.assertRaises(RateLimited):
            each([{}], limited)


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
