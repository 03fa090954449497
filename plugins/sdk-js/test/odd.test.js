// What sites answer that nobody expected: never the plugin's fault, never a wrong value.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  LayoutChanged, RateLimited, answer, candidate, count, creativeCommonsId, dimensions, each, expectNone, get, license,
  machine, need, query,
} from "../src/pixcrawler.js";

const URL = "https://example.org/1.jpg";
const read = (text, ...fields) => answer("https://example.org/", 200, text).response().json(...fields);

// A result as a source reads it.
const picture = (item) =>
  candidate(need(item, "url"), {
    title: item.title,
    byteSize: item.size,
    dimensions: dimensions(item.width, item.height),
    license: license(creativeCommonsId("by", item.version), { url: item.terms }),
    tags: item.tags?.map((tag) => tag.name),
    published: item.time === undefined ? undefined : new Date(item.time).toISOString(),
    extra: item.kind === undefined ? [] : [["test.kind", item.kind]],
    headers: item.referer === undefined ? [] : [["referer", item.referer]],
  });

for (const fields of [
  '"size": 36893488147419103232', '"size": 1e400', '"size": "1"', '"title": 7', '"title": {}', '"version": 2.0',
  '"terms": 5', '"tags": "fox"', '"tags": [null]', '"tags": [{"name": 5}]', '"tags": [{}]', '"kind": 5', '"kind": null',
  '"referer": 5', '"time": "yesterday"', '"url": null', '"url": "/2.jpg"',
]) {
  test(`${fields} costs one result`, () => {
    const results = read(`[{"url": "${URL}"}, {"url": "https://example.org/2.jpg", ${fields}}, null]`);
    const found = each(results, picture);
    assert.deepEqual(found.candidates.map(({ url }) => url), [URL]);
    assert.match(found.warnings[0], /^2 of 3 results cannot be read: ./);
    assert.throws(() => each(results.slice(1), picture), { name: "LayoutChanged", message: /^in all results: ./ });
  });
}

// The candidate of a result with that address and these fields; undefined where it cannot be read.
function one(url, fields) {
  try {
    return each([read(`{"url": "${url}", ${fields}}`)], picture).candidates[0];
  } catch (error) {
    assert.equal(error.name, "LayoutChanged");
    return undefined;
  }
}

// These tables stand in the tests of every SDK.
test("addresses of pictures", () => {
  for (const url of [URL, "HTTPS://example.org/1.jpg", "Http://example.org/1.jpg"]) {
    assert.equal(one(url, '"a": 1')?.url, url);
  }
  for (const url of ["", "/2.jpg", "//example.org/2.jpg", "ftp://example.org/2.jpg", "https:/2.jpg", "data:,", " https://a/", "http\u017f://a/"]) {
    assert.equal(one(url, '"a": 1'), undefined, url);
  }
});

test("sizes of pictures", () => {
  for (const width of ["640", "640.0", "6.4e2", "64000e-2", '"640"', '"0640"', '"640.0"']) {
    assert.deepEqual(one(URL, `"width": ${width}, "height": 480`)?.dimensions, { width: 640, height: 480 }, width);
  }
  // What is no size is not known, and the picture is one all the same.
  for (const width of [
    "null", "0", "0.0", "-0", '"0"', '""', '"auto"', '"640px"', '"640.5"', '"640."', '"-1"', "640.5", "-1", "-640.0",
    "true", "[640]", "{}", "4294967296", "4294967296.0", '"4294967296"', "36893488147419103232",
    '"36893488147419103232"', "1e400",
  ]) {
    const found = one(URL, `"width": ${width}, "height": 480`);
    assert.deepEqual([found?.url, found?.dimensions], [URL, undefined], width);
  }
});

test("counts", () => {
  for (const [size, expect] of [
    ["640", 640], ["640.0", 640], ["6.4e2", 640], ["0", 0], ["0.0", 0], ["9007199254740991", 9007199254740991],
    ["null", undefined],
  ]) {
    const found = one(URL, `"size": ${size}`);
    assert.deepEqual([found?.url, found?.byteSize], [URL, expect], size);
  }
  for (const size of [
    "640.5", "-1", "-640.0", "true", "[640]", "{}", '"640"', '""', "9007199254740992", "36893488147419103232", "1e400",
  ]) {
    assert.equal(one(URL, `"size": ${size}`), undefined, size);
    assert.throws(() => count(read(`{"n": ${size}}`), "n"), LayoutChanged, size);
  }
  assert.equal(count(read('{"n": 3.0}'), "n"), 3);
});

test("what is odd but not used costs nothing", () => {
  const results = read(`[{"url": "${URL}", "title": "", "unused": 1e400}]`);
  assert.equal(each(results, picture).candidates[0].title, "");
  assert.deepEqual(read(`{"a": 1, "unused": ${"9".repeat(5000)}}`, "a").a, 1);
});

test("halves of characters are marked", () => {
  for (const [json, expect] of [
    ["\\ud800", "\ufffd"], ["a\\uDC00b", "a\ufffdb"], ["\\ud83e\\udd8a", "🦊"], ["\\ud83e\\ud83e\\udd8a", "\ufffd🦊"],
    ["\\\\ud800", "\\ud800"], ["\\\\\\ud800", "\\\ufffd"], ["\\ud800\\n", "\ufffd\n"],
  ]) {
    assert.deepEqual(read(`{"${json}": ["${json}"]}`), { [expect]: [expect] }, json);
  }
  const half = (fields) => machine({ info: {}, start: () => fields }).start(query(""));
  assert.equal(half({ candidates: [candidate(URL, { title: "🦊".slice(1) })] }).candidates[0].title, "\ufffd");
  assert.deepEqual(half({ warnings: ["🦊".slice(0, 1)] }).warnings, ["\ufffd"]);
  assert.throws(() => candidate("x".repeat(98) + "🦊"), (error) => error.message.isWellFormed?.() ?? true);
});

test("what is no JSON is a changed layout", () => {
  const nested = (depth) => `{"a": 1, "unused": ${"[".repeat(depth)}"]\\"["${"]".repeat(depth)}}`;
  assert.equal(read(nested(127), "a").a, 1);
  assert.equal(read(`["${"[".repeat(5000)}", ${"[],".repeat(5000)} 1]`).length, 5002);
  for (const text of [nested(128), nested(5000), "[".repeat(5000), '{"a":'.repeat(100_000), '{"a": NaN}', "", '"']) {
    assert.throws(() => read(text, "a"), { name: "LayoutChanged", message: /^answer of https:\/\/example.org\/: / });
  }
});

test("what every object has is no field", () => {
  for (const object of [{}, [], "text", 7, true, null, undefined]) {
    for (const field of ["constructor", "toString", "__proto__", "length", "entries", "link"]) {
      if (!Array.isArray(object) || field !== "length") {
        assert.throws(() => need(object, field), { name: "LayoutChanged", message: `missing field \`${field}\`` });
      }
      assert.equal(count({}, field, 7), 7, field);
    }
  }
  assert.throws(() => read("[1]", "entries"), LayoutChanged);
  assert.equal(need(JSON.parse('{"__proto__": 5}'), "__proto__"), 5);
});

test("a count is a number", () => {
  assert.deepEqual([count({ n: 3 }, "n"), count({ n: 0 }, "n"), count({}, "n", 7)], [3, 0, 7]);
  for (const n of ["1", "x", 1.5, -1, true, [1], {}, 1e400, null]) {
    assert.throws(() => count({ n }, "n", 7), LayoutChanged, String(n));
  }
  for (const object of [{}, null, undefined, 7]) {
    assert.throws(() => count(object, "n"), { name: "LayoutChanged", message: "missing field `n`" });
  }
});

test("what is counted must be given", () => {
  expectNone(0, "photos");
  assert.throws(() => expectNone(7, "photos"), {
    name: "LayoutChanged", message: "expected 7 results in `photos`, found none",
  });
});

test("what leaves a component is of the contract's types", () => {
  for (const seconds of [1.5, -1, 2 ** 32, "30", NaN, null]) {
    assert.equal(new RateLimited(seconds).val, undefined);
  }
  for (const fields of [
    { license: { id: 5 } }, { license: license("by", { url: 5 }) }, { license: [] }, { dimensions: { width: 1 } },
    { dimensions: { width: 2 ** 32, height: 1 } }, { checksum: { digest: "crc32", hex: "00" } },
    { checksum: { digest: "md5", hex: 0 } }, { headers: [["a", 1]] }, { headers: {} }, { alternates: [null] }, { extra: "a" },
  ]) {
    assert.throws(() => candidate(URL, fields), LayoutChanged, JSON.stringify(fields));
  }
  assert.throws(() => get(5), LayoutChanged);
});

test("the author's mistakes stay the author's", () => {
  assert.throws(() => each([{}], () => missing), ReferenceError);
  assert.throws(() => each([{}], () => candidate(URL, { page_url: "" })), /no field/);
  for (const fields of [
    { license: { id: "cc0-1.0", uri: "" } }, { dimensions: { width: 1, height: 1, depth: 1 } },
    { checksum: { digest: "md5", hex: "", algorithm: "" } }, { constructor: "" }, { toString: "" },
    JSON.parse('{"__proto__": ""}'),
  ]) {
    assert.throws(() => candidate(URL, fields), /no field/, JSON.stringify(fields));
  }
  assert.throws(() => each([{}], () => { throw new RateLimited(30); }), RateLimited);
});
