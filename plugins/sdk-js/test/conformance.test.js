// HTML and addresses as others judge them: the tests of html5lib and of the URL standard, which are
// not part of this repository. `PIXCRAWLER_RECORDINGS` names the folder that has them.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { endTag, read } from "../src/html.js";
import { resolve } from "../src/pixcrawler.js";

const recordings = process.env.PIXCRAWLER_RECORDINGS;
const skip = recordings ? false : "PIXCRAWLER_RECORDINGS names no folder of them";
const folder = (...path) => join(recordings, "conformance", ...path);
const json = (...path) => JSON.parse(readFileSync(folder(...path), "utf8"));

// What `read` is given to begin in that state, in an element that `name` ends.
const STATES = {
  "Data state": () => [],
  "PLAINTEXT state": () => [{ end: /$/g }],
  "RCDATA state": (name) => [{ end: endTag(name), decoded: true }],
  "RAWTEXT state": (name) => [{ end: endTag(name) }],
  "Script data state": (name) => [{ end: endTag(name), script: true }],
  "CDATA section state": () => [undefined, 1],
};

test("html5lib's tests: tags, attributes and texts", { skip }, (t) => {
  let [passed, scripts] = [0, 0];
  // `xmlViolation` is for readers that make XML of it.
  const files = readdirSync(folder("html5lib")).filter((name) => /^tokenizer__(?!xmlViolation)/.test(name));
  for (const file of files) {
    for (const one of json("html5lib", file).tests) {
      const { input, output, doubleEscaped, initialStates = ["Data state"], lastStartTag } = one;
      const plain = doubleEscaped ? unescaped : (value) => value;
      for (const state of initialStates) {
        if (state === "Script data state" && lastStartTag === "xmp") {
          scripts += 1;
          continue;
        }
        const html = (state === "CDATA section state" ? "<![CDATA[" : "") + plain(input).replace(/\r\n?/g, "\n");
        const found = [...read(html, ...STATES[state](lastStartTag ?? "none"))];
        const place = `${file}, ${state}: ${JSON.stringify(html)}`;
        assert.deepEqual(joined(found), joined(plain(output).flatMap(expected)), place);
        passed += 1;
      }
    }
  }
  assert.ok(passed > 0);
  t.diagnostic(
    `${passed} passed; left out: ${scripts} in a script that </xmp> ends, which cannot be, and the file xmlViolation`,
  );
});

// `\u0041` in all texts of a value.
const unescaped = (value) => JSON.parse(JSON.stringify(value).replaceAll("\\\\u", "\\u"));

// A token as html5lib writes it; comments and declarations are not given.
function expected([kind, text, attributes]) {
  switch (kind) {
    case "StartTag": return [{ open: text, attributes }];
    case "EndTag": return [{ close: text }];
    case "Character": return [{ text }];
    default: return [];
  }
}

// Texts that follow one another are one.
function joined(tokens) {
  const all = [];
  for (const token of tokens) {
    if (token.text !== undefined && all.at(-1)?.text !== undefined) {
      all.push({ text: all.pop().text + token.text });
    } else {
      all.push(token);
    }
  }
  return all;
}

test("the URL standard's tests: http and https", { skip }, (t) => {
  const counts = { addresses: 0, none: 0, hosts: 0, queries: 0 };
  for (const one of json("url", "urltestdata.json").filter((entry) => typeof entry === "object")) {
    const { input, base, protocol, href, failure } = one;
    if (international(input)) {
      counts.hosts += 1;
      continue;
    }
    const web = !failure && (protocol === "http:" || protocol === "https:");
    const expect = web ? href.split("#", 1)[0] : undefined;
    const found = resolve(base ?? "", input);
    counts.queries += /\?[^]*[^\0-\x7f]/.test(found);
    // As PixCrawler does for a page in UTF-8.
    const sent = found?.replace(/[^\0-\x7f]+/gu, encodeURIComponent);
    assert.equal(sent, expect, `${base} ${JSON.stringify(input)}`);
    counts[web ? "addresses" : "none"] += 1;
  }
  assert.ok(counts.addresses > 0 && counts.none > 0);
  t.diagnostic(
    `${counts.addresses} addresses passed, ${counts.queries} of them with PixCrawler, which escapes what is not ASCII ` +
      `in the query, and ${counts.none} that are none of http(s); left out: ${counts.hosts} whose host is not ASCII ` +
      "or `xn--`, which PixCrawler reads",
  );
});

function international(input) {
  const [, host = ""] = /^https?:[/\\]*([^/\\?#]*)/i.exec(input) ?? [];
  return /[^\0-\x7f]|%[89a-f]|xn--/i.test(host);
}
