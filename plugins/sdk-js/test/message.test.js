// Requests, answers, candidates and licences.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Answer, answer, candidate, creativeCommonsId, credential, dimensions, get, licenseFromUrl, mediaType, need, post, query,
} from "../src/pixcrawler.js";

const URL = "https://example.org/list?q=secret";

test("parameters are escaped and appended", () => {
  assert.equal(get("https://example.org/").url, "https://example.org/");
  assert.equal(
    get("https://example.org/?k=v", { q: "ü&=#+'", n: 1, no: undefined, null: null, t: ["a", "b"] }).url,
    "https://example.org/?k=v&q=%C3%BC%26%3D%23%2B%27&n=1&t=a&t=b",
  );
  const asked = post("https://example.org/", "application/json", "{}", { key: "k" });
  assert.deepEqual([asked.method, asked.key, asked.body.val], ["post", "k", "{}"]);
});

for (const [status, name, message] of [
  [401, "Unauthorized", "https://example.org/list asks for a credential"],
  [404, "LayoutChanged", "https://example.org/list answers 404"],
  [403, "Unavailable", "https://example.org/list answers 403"],
  [503, "Unavailable", "https://example.org/list answers 503"],
  [429, "RateLimited", "the site limits the rate of requests"],
]) {
  test(`status ${status} is ${name}`, () => {
    assert.throws(() => answer(URL, status, "").response(), { name, message });
    assert.equal(answer(URL, status, "").any.status, status);
  });
}

test("retry-after is read where it is seconds", () => {
  for (const [value, val] of [["30", 30], ["Wed, 21 Oct 2026 07:28:00 GMT", undefined], ["-1", undefined]]) {
    assert.throws(() => answer(URL, 429, "", [["retry-after", value]]).response(), { name: "RateLimited", val });
  }
});

test("failures become errors", () => {
  for (const [failure, name] of [
    [{ tag: "status", val: 429 }, "RateLimited"],
    [{ tag: "status", val: 502 }, "Unavailable"],
    [{ tag: "timeout" }, "Unavailable"],
    [{ tag: "skipped" }, "Skipped"],
    [{ tag: "network", val: "reset" }, "Unavailable"],
    [{ tag: "denied", val: "not granted" }, "InvalidQuery"],
    [{ tag: "robots", val: "*" }, "InvalidQuery"],
    [{ tag: "too-large", val: 9 }, "InvalidQuery"],
  ]) {
    const failed = new Answer({ key: "", url: URL, outcome: { tag: "err", val: failure } });
    assert.throws(() => failed.response(), { name });
    assert.deepEqual([failed.any, failed.failure], [undefined, failure]);
  }
});

test("unreadable bodies say what was expected", () => {
  const read = (text, ...fields) => answer(URL, 200, text).response().json(...fields);
  assert.deepEqual(read('{"a": 1}', "a"), { a: 1 });
  assert.throws(() => read("<html>"), { name: "LayoutChanged", message: /^answer of https:\/\/example.org\/list: / });
  for (const text of ['{"b": 1}', '{"a": null}', "null", "[]", "7"]) {
    assert.throws(() => read(text, "a"), { name: "LayoutChanged", message: /missing field `a`$/ });
  }
  const binary = answer(URL, 200, "").response();
  binary.body = { tag: "binary", val: new Uint8Array() };
  assert.throws(() => binary.text, { name: "LayoutChanged" });
  assert.equal(need({ a: 0 }, "a"), 0);
});

test("an option without a value is not set", () => {
  const asked = query("", { options: [["a", ""], ["b", "1"]], credentials: ["api"] });
  assert.deepEqual([asked.option("a"), asked.option("b"), asked.option("c")], [undefined, "1", undefined]);
  assert.deepEqual([asked.hasCredential("api"), asked.hasCredential("other")], [true, false]);
});

test("candidates", () => {
  const made = candidate("https://example.org/", { title: "T", creator: null, byteSize: undefined });
  assert.deepEqual(made, { url: "https://example.org/", alternates: [], tags: [], headers: [], extra: [], title: "T" });
  for (const url of [undefined, null, 7, "", "/a.jpg", "data:image/gif;base64,"]) {
    assert.throws(() => candidate(url), { name: "LayoutChanged" });
  }
  for (const fields of [{ title: 7 }, { tags: "a" }, { byteSize: -1 }, { byteSize: 1.5 }, { extra: [["a"]] }]) {
    assert.throws(() => candidate("https://example.org/", fields), { name: "LayoutChanged" });
  }
  const classed = candidate("https://example.org/", { labels: ["fox", "wild"], extra: [["a.b", "c"]] });
  assert.deepEqual(classed.extra, [["a.b", "c"], ["label", "fox"], ["label", "wild"]]);
  assert.ok(!("labels" in classed));
  assert.throws(() => candidate("https://example.org/", { labels: "fox" }), { name: "LayoutChanged" });
  assert.throws(() => candidate("https://example.org/", { page_url: "" }), /no field `page_url`; did you mean `pageUrl`/);
  assert.deepEqual(dimensions(2, 1), { width: 2, height: 1 });
  assert.deepEqual(dimensions("2", "1"), { width: 2, height: 1 });
  for (const sides of [[2], [0, 1], ["0", 1], ["2 cm", 1], ["", 1], [null, 1], ["1.5", 1]]) {
    assert.equal(dimensions(...sides), undefined);
  }
});

test("licences", () => {
  for (const [url, id] of [
    ["https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"],
    ["http://www.creativecommons.org/licenses/by-nc-sa/2.0/deed.de", "cc-by-nc-sa-2.0"],
    ["https://creativecommons.org/licenses/by-nd-nc/1.0/jp/", "cc-by-nc-nd-1.0"],
    ["creativecommons.org/licenses/by-sa/3.0", "cc-by-sa-3.0"],
    ["https://creativecommons.org/licenses/by/deed.en", "cc-by"],
    ["https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"],
    ["https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0"],
    ["https://creativecommons.org/about/", "unknown"],
    ["https://creativecommons.org.example.org/licenses/by/4.0/", "unknown"],
    ["https://example.org/terms", "unknown"],
    ["", "unknown"],
    [" HTTPS://CreativeCommons.org/licenses/by/4.0/legalcode.de?ref=chooser#s1 ", "cc-by-4.0"],
    ["https://creativecommons.org/licenses/by/2.1/jp/", "cc-by-2.1"],
    ["https://creativecommons.org/licenses/by-nc-only/4.0/", "unknown"],
    ["https://creativecommons.org/licenses/bye/4.0/", "unknown"],
    ["https://creativecommons.org/licenses/by/4.0,3.0/", "unknown"],
    ["https://creativecommons.org/licenses/by/5/", "unknown"],
    ["https://creativecommons.org/publicdomain/zero/9.9/", "unknown"],
    ["https://creativecommons.org/licenses/by/4.0/ but ask first", "unknown"],
    ["https://creativecommons.org/licenses/by/4.0/%20but%20ask", "unknown"],
    ["https://creativecommons.org/?licenses/by/4.0/", "unknown"],
    ["not https://creativecommons.org/licenses/by/4.0/", "unknown"],
    ["ftp://creativecommons.org/licenses/by/4.0/", "unknown"],
    ["//creativecommons.org/licenses/by-sa/3.0", "unknown"],
  ]) {
    assert.deepEqual(licenseFromUrl(url), { id, url, attribution: undefined });
  }
  for (const [code, version, id] of [
    ["BY-NC-ND", "2.0", "cc-by-nc-nd-2.0"],
    ["by-nd-nc", "1.0", "cc-by-nc-nd-1.0"],
    ["by", undefined, "cc-by"],
    ["cc0", undefined, "cc0-1.0"],
    ["pdm", "", "pdm-1.0"],
    ["sampling+", "1.0", "unknown"],
    ["by-nd-sa", "4.0", "unknown"],
    ["by-nc-only", undefined, "unknown"],
    ["by", "4.0 or so", "unknown"],
    ["by", "7.0", "unknown"],
    ["cc0", "4.0", "unknown"],
    ["constructor", undefined, "unknown"],
    ["", undefined, "unknown"],
  ]) {
    assert.equal(creativeCommonsId(code, version), id, code);
  }
});

test("media types by extension", () => {
  const types = ["jpg", ".PNG", "tif", "mp4", "", "constructor", "__proto__", "toString"].map(mediaType);
  assert.deepEqual(types, ["image/jpeg", "image/png", "image/tiff", ...Array(5).fill(undefined)]);
});

test("credentials", () => {
  const kind = (kind) => credential("api", "", kind, []).kind;
  assert.deepEqual(kind("basic"), { tag: "basic" });
  assert.deepEqual(kind({ header: "authorization", prefix: "Bearer " }), { tag: "header", val: { name: "authorization", prefix: "Bearer " } });
  assert.deepEqual(kind({ parameter: "key" }), { tag: "query-parameter", val: "key" });
  assert.deepEqual(kind({ tokenUrl: "https://example.org/" }), { tag: "oauth2-client-credentials", val: "https://example.org/" });
});
