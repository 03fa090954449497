// HTML and addresses as they are written, well and badly.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, escape, resolve, tags, tokens } from "../src/pixcrawler.js";

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
  ["<?xml version='1'?>a<![CDATA[b]]>c", "ac"],
  ["</ p>a</>b</p class=x>c", "ab[/p]c"],
  ["<script>if (a<b) '<img src=x>&amp;'</script>c", "[script]if (a<b) '<img src=x>&amp;'[/script]c"],
  ["<script>a</scripts></SCRIPT >b", "[script]a</scripts>[/script]b"],
  ["<title><b>&amp;</title>", "[title]<b>&[/title]"],
  ["<style>never closed <p>", "[style]never closed <p>"],
  ["a<img src=\"cut>", "a"],
  ["a<img src", "a"],
  ["a<", "a<"],
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
    ["&#8211;&#x2013;&#X2013;", "–––"],
    ["&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"],
    ["&amp;amp;", "&amp;"],
    ["a?b&copy=1&c;", "a?b&copy=1&c;"],
    ["&;&#;&#x;&unknown;&", "&;&#;&#x;&unknown;&"],
  ]) {
    assert.equal(decode(text), expect);
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

test("addresses as pages write them", () => {
  const base = "https://example.org/gallery/index.html";
  for (const [reference, expect] of [
    [" photo.jpg\n", "https://example.org/gallery/photo.jpg"],
    ["//cdn.example.org/a.jpg", "https://cdn.example.org/a.jpg"],
    ["HTTP://Example.org/a.jpg", "http://Example.org/a.jpg"],
    ["my photo.jpg?w=1 2", "https://example.org/gallery/my%20photo.jpg?w=1%202"],
    ["grün\"<.jpg", "https://example.org/gallery/gr%C3%BCn%22%3C.jpg"],
    ["a%20b's(1).jpg", "https://example.org/gallery/a%20b's(1).jpg"],
    ["..\\a.jpg?b=\\", "https://example.org/a.jpg?b=\\"],
    ["/a?b#c?d", "https://example.org/a?b"],
    ["data:image/gif;base64,R0lGOD", undefined],
    ["javascript:void(0)", undefined],
    ["http:g", undefined],
    ["https:///g", undefined],
  ]) {
    assert.equal(resolve(base, reference), expect, reference);
  }
  assert.equal(resolve("example.org/", "a"), undefined);
  assert.equal(escape("a-b._~Z9 &=/ü%!'()*"), "a-b._~Z9%20%26%3D%2F%C3%BC%25%21%27%28%29%2A");
  assert.equal(escape("🦊\ud83e\udd8a\ud83e"), "%F0%9F%A6%8A%F0%9F%A6%8A%EF%BF%BD");
});
