// HTML and addresses as they are written, well and badly.

import assert from "node:assert/strict";
import { test } from "node:test";

import { candidate, decode, each, escape, resolve, tags, tokens } from "../src/pixcrawler.js";

// Writes tokens down so that a document's reading fits a line.
const reading = (html) =>
  [...tokens(html)].map(({ open, close, text, attributes }) => {
    if (open === undefined) {
      return text ?? `[/${close}]`;
    }
    return `[${[open, ...Object.entries(attributes).map(([name, value]) => `${name}=${value}`)].join(" ")}]`;
  }).join("");

for (const [html, expect] of [
  ["", ""],
  ["just text", "just text"],
  ["<!DOCTYPE html><p>a</p>", "[p]a[/p]"],
  ["<img src=a.jpg>", "[img src=a.jpg]"],
  ["<img src='a b' alt=\"c > d\"/>", "[img src=a b alt=c > d]"],
  ["<IMG\n SRC = a.jpg\talt>", "[img src=a.jpg alt=]"],
  ["<a href=/x/y/>z", "[a href=/x/y/]z"],
  ["<br/><hr />", "[br][hr]"],
  ["<a =b c==d>", "[a =b= c==d]"],
  ["<a b=>c", "[a b=]c"],
  ["<p a=\"1\"b=\"2\" a=3>", "[p a=1 b=2]"],
  ["<p title='a&quot;b'>", "[p title=a\"b]"],
  ["1 < 2 <3 <> <", "1 < 2 <3 <> <"],
  ["a<!-- <b> -->c<!-->d<!--->e<!-- f", "acde"],
  ["a<!-- b --!>c<!--!> d -->e<!----!>f", "acef"],
  ["<?xml version='1'?>a<![CDATA[b]]>c<!DOCTYPE \">\">d", "ac\">d"],
  ["</ p>a</>b</p class=x>c</p title='>'>d", "ab[/p]c[/p]d"],
  ["<script>if (a<b) '<img src=x>&amp;'</script>c", "[script]if (a<b) '<img src=x>&amp;'[/script]c"],
  ["<script>a</scripts></SCRIPT >b", "[script]a</scripts>[/script]b"],
  ["<script><!-- <script> a </script> b --> c</script>d", "[script]<!-- <script> a </script> b --> c[/script]d"],
  ["<script><!--> <script>a</script>b", "[script]<!--> <script>a[/script]b"],
  ["<title><b>&amp;</title>", "[title]<b>&[/title]"],
  ["<noembed><b></noembed><noframes><b></noframes>", "[noembed]<b>[/noembed][noframes]<b>[/noframes]"],
  ["<noscript><img src=a></noscript>", "[noscript][img src=a][/noscript]"],
  ["<plaintext><b></plaintext>&amp;", "[plaintext]<b></plaintext>&amp;"],
  ["<svg><style/><image href=a /></svg><style/><b>", "[svg][style][image href=a][/svg][style]<b>"],
  ["<svg><![CDATA[a<b]]></svg><![CDATA[c]]>", "[svg]a<b[/svg]"],
  ["<image src=a>", "[img src=a]"],
  ["<\u212aa \u212a=1 B\0=\0>\r\na\rb", "<\u212aa \u212a=1 B\0=\0>\na\nb"],
  ["<A\u212a \u212a=1 B\0=\0>", "[a\u212a \u212a=1 b\ufffd=\ufffd]"],
  ["a<", "a<"],
  ["a</", "a</"],
  ["a<!", "a"],
  ["<style>never closed <p>", "[style]never closed <p>"],
  ["a<img src=\"cut>", "a"],
  ["a<img src", "a"],
  ["grün<ü><img alt=日本語 src=ä>", "grün<ü>[img alt=日本語 src=ä]"],
]) {
  test(`reads ${html}`, () => assert.equal(reading(html), expect));
}

test("tags by name", () => {
  const found = [...tags("<a href=1><img src=2><A href=3></a>", "a")].map((tag) => tag.attributes.href);
  assert.deepEqual(found, ["1", "3"]);
});

test("references", () => {
  for (const [text, expect] of [
    ["a&amp;b", "a&b"],
    ["&lt;&gt;&quot;&apos;&#39;", "<>\"''"],
    ["&nbsp;&copy;&eacute;&Uuml;&yuml;&szlig;&divide;", "\u{a0}©éÜÿß÷"],
    ["&Ccaron;&rarr;&alpha;&Afr;&NotEqualTilde;", "Č→α\u{1d504}\u2242\u0338"],
    ["&#8211;&#x2013;&#X2013;&#8211", "––––"],
    ["&#128;&#146;&#x97;&#129;", "€’—\x81"],
    ["&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"],
    ["&amp;amp;", "&amp;"],
    ["&copy 2024, a?b&copy=1&c;&copyright;", "© 2024, a?b©=1&c;©right;"],
    ["&notit;&notin;&Copy;&alpha &hellip", "¬it;∉&Copy;&alpha &hellip"],
    ["&;&#;&#x;&unknown;&", "&;&#;&#x;&unknown;&"],
  ]) {
    assert.equal(decode(text), expect, text);
  }
  // In an attribute they are part of an address where that can be.
  for (const [value, expect] of [
    ["?a=1&copy=2&copyright&reg", "?a=1&copy=2&copyright®"], ["&copy;=1&amp", "©=1&"], ["&notit;&#146", "&notit;’"],
  ]) {
    assert.equal(tags(`<a href="${value}">`).next().value.attributes.href, expect, value);
  }
});

test("long pages take as long as they are", () => {
  for (const piece of [
    "<", "<!--", "<script>", "<script><!--<script>", "<a b=\"", "<a b='c", "</", "</a b", "<title>", "&", "&copy", "&a",
    "&#", "<a ", "<a /", "<!", "<![CDATA[", "<svg><![CDATA[", "-->", "<svg>", "<a b=c\n", "\0", " ",
  ]) {
    const html = piece.repeat((256 << 10) / piece.length);
    for (const page of [html, `<svg>${html}`, `<a href='${html}`, `<a href='${html}'>`, `<script>${html}`]) {
      assert.ok([...tokens(page)].length <= page.length);
    }
    assert.equal(resolve("https://example.org/", `a${html}b`), undefined);
    const address = piece.repeat(8_000 / piece.length);
    for (const start of ["", "//", "https:", "https://a@", "https://[", "https://1."]) {
      resolve(`https://${address}`, `${start}${address}@`);
    }
  }
});

test("references of RFC 3986", () => {
  for (const [reference, expect] of [
    ["g", "b/c/g"], ["./g", "b/c/g"], ["g/", "b/c/g/"], ["/g", "g"], ["?y", "b/c/d;p?y"], ["g?y#s", "b/c/g?y"],
    [";x", "b/c/;x"], ["", "b/c/d;p?q"], ["#s", "b/c/d;p?q"], [".", "b/c/"], ["..", "b/"], ["../g", "b/g"],
    ["../..", ""], ["../../../g", "g"], ["/../g", "g"], ["g.", "b/c/g."], ["..g", "b/c/..g"], ["./g/.", "b/c/g/"],
    ["g/../h", "b/c/h"], ["g;x=1/../y", "b/c/y"], ["g?y/../x", "b/c/g?y/../x"],
  ]) {
    assert.equal(resolve("http://a/b/c/d;p?q", reference), `http://a/${expect}`, reference);
  }
  assert.equal(resolve("http://a/b", "//g"), "http://g/");
});

// This table stands in the tests for Python, too.
test("addresses as pages write them", () => {
  const base = "https://example.org/gallery/index.html?q";
  for (const [reference, expect] of [
    [" photo.jpg\n", "https://example.org/gallery/photo.jpg"],
    ["pho\n\tto.jpg", "https://example.org/gallery/photo.jpg"],
    ["//cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"],
    ["\\\\cdn.example.org\\a.jpg", "https://cdn.example.org/a.jpg"],
    ["HTTP://Example.org:80/a.jpg", "http://example.org/a.jpg"],
    ["https:a.jpg", "https://example.org/gallery/a.jpg"],
    ["https:/a.jpg", "https://example.org/a.jpg"],
    ["https:///cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"],
    ["http:a.jpg", "http://a.jpg/"],
    ["https://example.org", "https://example.org/"],
    ["https://example.org?a", "https://example.org/?a"],
    ["https://a:b@c@example.org:8080", "https://a:b%40c@example.org:8080/"],
    ["https://0x7f.1/", "https://127.0.0.1/"],
    ["https://[1:0:0:2:0:0:0:3]/", "https://[1:0:0:2::3]/"],
    ["https://[::1.2.3.4]/", "https://[::102:304]/"],
    ["https://GR\u00fcn.example/", "https://gr\u00fcn.example/"],
    ["../my photo.jpg?w=1 2#f", "https://example.org/my%20photo.jpg?w=1%202"],
    ["%2e%2E/./%2e/a/..", "https://example.org/"],
    ["gr\u00fcn\"<.jpg?gr\u00fcn'", "https://example.org/gallery/gr%C3%BCn%22%3C.jpg?gr\u00fcn%27"],
    ["?\ud83e=\u72d0\ud83e\udd8a&%FC", "https://example.org/gallery/index.html?\ufffd=\u72d0\ud83e\udd8a&%FC"],
    ["\ud83e.jpg", "https://example.org/gallery/%EF%BF%BD.jpg"],
    ["a%20b's(1)%zz.jpg", "https://example.org/gallery/a%20b's(1)%zz.jpg"],
    ["..\\a.jpg?b=\\", "https://example.org/a.jpg?b=\\"],
    ["/a?b#c?d", "https://example.org/a?b"],
    ["?", "https://example.org/gallery/index.html?"],
    ["?y", "https://example.org/gallery/index.html?y"],
    ["", "https://example.org/gallery/index.html?q"],
    ["data:image/gif;base64,R0lGOD", undefined],
    ["javascript:void(0)", undefined],
    ["https://", undefined],
    ["https://a b/", undefined],
    ["https://a:b/", undefined],
    ["https://a:65536/", undefined],
    ["https://@/", undefined],
    ["https://256.1.1.1/", undefined],
    ["https://1.2.3.4.5/", undefined],
    ["https://[1::2::3]/", undefined],
    ["http://[", undefined],
  ]) {
    assert.equal(resolve(base, reference), expect, reference);
    assert.equal(expect && resolve("", expect), expect, reference);
  }
  assert.equal(resolve("example.org/", "a"), undefined);
  assert.equal(resolve("example.org/", base), base);
  for (const missing of [undefined, null, 5]) {
    assert.equal(resolve(base, missing), undefined);
  }
});

test("addresses that are too long", () => {
  const base = "https://example.org/";
  const full = base + "a".repeat(8_192 - base.length);
  assert.equal(resolve(base, full), full);
  assert.equal(resolve(base, full.slice(base.length)), full);
  assert.equal(resolve(base, `${full}a`), undefined);
  assert.equal(resolve(full, "?b"), undefined);
  assert.equal(resolve(`${full}a`, "/b"), undefined);
  assert.equal(resolve(base, "\u00fc".repeat(2_000)), undefined);
  assert.equal(resolve(base, `?${"\u00fc".repeat(4_086)}`), undefined);
});

test("what is left out of a page is counted", () => {
  const page = `<img src=a.jpg><img><img src="data:,"><img src="/${"b".repeat(8_192)}">`;
  const picture = ({ attributes }) => candidate(resolve("https://example.org/", attributes.src));
  const { candidates, warnings } = each([...tags(page, "img")], picture);
  assert.deepEqual(candidates.map(({ url }) => url), ["https://example.org/a.jpg"]);
  assert.deepEqual(warnings, ["3 of 4 results cannot be read: not the address of a picture: undefined"]);
});

test("what is escaped", () => {
  assert.equal(escape("a-b._~Z9 &=/\u00fc%!'()*"), "a-b._~Z9%20%26%3D%2F%C3%BC%25%21%27%28%29%2A");
  assert.equal(escape("\u{1f98a}\ud83e\udd8a\ud83e"), "%F0%9F%A6%8A%F0%9F%A6%8A%EF%BF%BD");
});
