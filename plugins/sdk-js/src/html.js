// Reading HTML as browsers do, as far as finding links and pictures needs it: the tags with
// attributes and the texts that the tokenizer of the HTML standard (section 13.2.5) sees, in the
// order of the document. No tree is built. Any text at all can be read; what is broken is skipped.

import { decode, decodeValue } from "./references.js";
import { lower } from "./text.js";

// Expressions, because QuickJS runs them four times as fast as a state for each character.
// They keep their place in `lastIndex`: a slice would be copied.
const TEXT_END = /<(?:[a-z!?]|\/[^])/gi;
// A comment, the beginning of a tag, or what else is no text, such as a declaration.
const MARKUP = /<!--(?:-?>|[^]*?(?:--!?>|$))|<(\/?)([a-z][^\t\n\f />]*)(>?)|<[/!?][^>]*(?:>|$)/giy;
const CDATA = /<!\[CDATA\[([^]*?)(?:\]\]>|$)/y;
// `>`, or a name and its value: quoted, begun with a quote that never ends, or bare.
const ATTRIBUTE =
  /[\t\n\f /]*(?:(>)|(=?[^\t\n\f />=]*)(?:[\t\n\f ]*=[\t\n\f ]*(?:"([^"]*)"|'([^']*)'|(["'])|([^\t\n\f >]*)))?)/gy;

// Elements whose content is text up to their own end tag; in `decoded` ones references mean something.
const RAW = new Map([
  ...["textarea", "title"].map((name) => [name, { end: endTag(name), decoded: true }]),
  ...["style", "xmp", "iframe", "noembed", "noframes"].map((name) => [name, { end: endTag(name) }]),
  ["script", { end: endTag("script"), script: true }],
  ["plaintext", { end: /$/g }],
]);

// The tags and texts of a document, in order: `{ open: "img", attributes: { src: … } }`,
// `{ close: "p" }` and `{ text: … }`. Names are in lower case, values and texts decoded; `image`,
// which browsers take for `img`, is called that.
export const tokens = (html) => read(html.replace(/\r\n?/g, "\n"));

// Only the start tags of these names, or all: `for (const { attributes } of tags(page, "img"))`.
export function* tags(html, ...names) {
  for (const token of tokens(html)) {
    if (token.open !== undefined && (names.length === 0 || names.includes(token.open))) {
      yield token;
    }
  }
}

// As `tokens`, from within an element as those of `RAW`, or so many drawings and formulas, which XML's
// rules hold for.
export function* read(html, raw, drawings = 0) {
  let at = 0;
  while (at < html.length) {
    const end = raw?.script ? scriptEnd(html, at) : search(raw?.end ?? TEXT_END, html, at);
    if (end > at) {
      const text = html.slice(at, end);
      yield { text: raw === undefined ? decode(text) : visible(raw.decoded ? decode(text) : text) };
      at = end;
    }
    raw = undefined;
    if (at === html.length) {
      return;
    }
    CDATA.lastIndex = at;
    const cdata = drawings > 0 ? CDATA.exec(html) : null;
    if (cdata !== null) {
      at = CDATA.lastIndex;
      if (cdata[1] !== "") {
        yield { text: cdata[1] };
      }
      continue;
    }
    MARKUP.lastIndex = at;
    const [whole, slash, written, bare] = MARKUP.exec(html);
    at += whole.length;
    if (written === undefined) {
      continue;
    }
    const tag = bare === "" ? attributes(html, at) : { attributes: {}, closed: false, end: at };
    if (tag === undefined) {
      // A tag that the document's end cuts off is no tag.
      return;
    }
    at = tag.end;
    const name = named(written);
    const drawing = name === "svg" || name === "math";
    if (slash !== "") {
      drawings -= drawing && drawings > 0 ? 1 : 0;
      yield { close: name };
      continue;
    }
    // Elsewhere the slash in front of `>` means nothing.
    if (!tag.closed || !(drawing || drawings > 0)) {
      drawings += drawing ? 1 : 0;
      raw = RAW.get(name);
    }
    yield { open: name === "image" && drawings === 0 ? "img" : name, attributes: tag.attributes };
  }
}

// Attributes from behind a tag's name, the first of a name counts; whether it is closed in itself,
// and where it ends. Undefined if it does not.
function attributes(html, start) {
  const found = {};
  ATTRIBUTE.lastIndex = start;
  while (ATTRIBUTE.lastIndex < html.length) {
    const part = ATTRIBUTE.exec(html);
    if (part === null || part[0] === "") {
      return undefined;
    }
    const [whole, end, name, double, single, unclosed, bare] = part;
    if (unclosed !== undefined) {
      return undefined;
    }
    if (end !== undefined) {
      return { attributes: found, closed: whole.endsWith("/>"), end: ATTRIBUTE.lastIndex };
    }
    const key = named(name);
    if (key !== "" && !Object.hasOwn(found, key)) {
      found[key] = visible(decodeValue(double ?? single ?? bare ?? ""));
    }
  }
  return undefined;
}

// Where the content of a script ends. After `<!--` a `<script>` hides the next end tag, as in old pages
// that hide scripts from browsers without.
function scriptEnd(html, start) {
  const mark = /<!--|-->|<(\/?)script(?=[\t\n\f />])/gi;
  mark.lastIndex = start;
  let [comment, inner] = [false, false];
  for (let found = mark.exec(html); found !== null; found = mark.exec(html)) {
    if (found[0] === "<!--") {
      comment = true;
      // Its dashes may be those of its end.
      mark.lastIndex = found.index + 2;
    } else if (found[0] === "-->") {
      [comment, inner] = [false, false];
    } else if (found[1] === "") {
      inner = comment;
    } else if (inner) {
      inner = false;
    } else {
      return found.index;
    }
  }
  return html.length;
}

function search(pattern, html, at) {
  pattern.lastIndex = at;
  return pattern.exec(html)?.index ?? html.length;
}

// Before the end tag of an element.
export function endTag(name) {
  return new RegExp(`</${name}(?=[\\t\\n\\f />])`, "gi");
}

const named = (name) => (/[^\x01-\x7f]/.test(name) ? visible(lower(name)) : name.toLowerCase());

const visible = (text) => (text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text);
