"""HTML and addresses as others judge them: the tests of html5lib and of the URL standard.

They are not part of this repository; `PIXCRAWLER_RECORDINGS` names the folder that has them.
"""

import json
import os
import re
import unittest
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from pixcrawler import Close, Tag, resolve
from pixcrawler.page import Raw, end_tag, read

RECORDINGS = os.environ.get("PIXCRAWLER_RECORDINGS")
FOLDER = Path(RECORDINGS or "", "conformance")

# What `read` is given to begin in that state, in an element that `name` ends.
STATES = {
    "Data state": lambda name: (),
    "PLAINTEXT state": lambda name: (Raw(re.compile(r"\Z")),),
    "RCDATA state": lambda name: (Raw(end_tag(name), decoded=True),),
    "RAWTEXT state": lambda name: (Raw(end_tag(name)),),
    "Script data state": lambda name: (Raw(end_tag(name), script=True),),
    "CDATA section state": lambda name: (None, 1),
}


@unittest.skipUnless(RECORDINGS, "PIXCRAWLER_RECORDINGS names no folder of them")
class Conformance(unittest.TestCase):
    def test_html(self):
        passed = scripts = 0
        # `xmlViolation` is for readers that make XML of it.
        for file in set(FOLDER.glob("html5lib/tokenizer__*")) - set(FOLDER.glob("html5lib/*__xmlViolation*")):
            for one in json.loads(file.read_text())["tests"]:
                plain = unescaped if one.get("doubleEscaped") else lambda value: value
                for state in one.get("initialStates", ["Data state"]):
                    last = one.get("lastStartTag", "none")
                    if state == "Script data state" and last == "xmp":
                        scripts += 1
                        continue
                    html = "<![CDATA[" if state == "CDATA section state" else ""
                    html += plain(one["input"]).replace("\r\n", "\n").replace("\r", "\n")
                    expect = joined(filter(None, map(expected, plain(one["output"]))))
                    found = joined(read(html, *STATES[state](last)))
                    self.assertEqual(found, expect, f"{file.name}, {state}: {html!a}")
                    passed += 1
        self.assertGreater(passed, 0)
        print(f"html5lib's tests of tags, attributes and texts: {passed} passed; left out: {scripts} in a script "
              "that </xmp> ends, which cannot be, and the file xmlViolation")

    def test_addresses(self):
        addresses = none = hosts = queries = 0
        for one in json.loads((FOLDER / "url/urltestdata.json").read_text()):
            if isinstance(one, str):
                continue
            if INTERNATIONAL.match(one["input"]):
                hosts += 1
                continue
            web = not one.get("failure") and one["protocol"] in ("http:", "https:")
            expect = one["href"].partition("#")[0] if web else None
            found = resolve(one.get("base") or "", one["input"])
            queries += bool(found) and not found.isascii()
            # As PixCrawler does for a page in UTF-8.
            sent = found and re.sub(r"[^\0-\x7f]+", lambda part: quote(part[0]), found)
            self.assertEqual(sent, expect, ascii(one))
            addresses, none = addresses + web, none + (not web)
        self.assertTrue(addresses and none)
        print(f"the URL standard's tests: {addresses} addresses passed, {queries} of them with PixCrawler, which "
              f"escapes what is not ASCII in the query, and {none} that are none of http(s); left out: {hosts} whose "
              "host is not ASCII or `xn--`, which PixCrawler reads")


INTERNATIONAL = re.compile(r"https?:[/\\]*[^/\\?#]*?(?:[^\0-\x7f/\\?#]|%[89a-f]|xn--)", re.IGNORECASE)


def unescaped(value):
    r"""`\u0041` in all texts of a value."""
    return json.loads(json.dumps(value).replace(r"\\u", r"\u"))


def expected(token):
    """A token as html5lib writes it; comments and declarations are not given."""
    match token:
        case ["StartTag", name, attributes, *_]:
            return Tag(name, attributes)
        case ["EndTag", name]:
            return Close(name)
        case ["Character", text]:
            return text


def joined(tokens):
    """Texts that follow one another are one."""
    parts = ((is_text, list(group)) for is_text, group in groupby(tokens, lambda token: isinstance(token, str)))
    return [one for is_text, group in parts for one in (["".join(group)] if is_text else group)]
