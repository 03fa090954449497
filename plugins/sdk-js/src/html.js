// Reading HTML as browsers do, as far as finding links and pictures needs it: tags with
// attributes, text and entities, in the order of the document. No tree is built. Any
// text at all can be read; what is broken is skipped.

// Searches keep their place in `lastIndex`: QuickJS would copy the text for a slice.
const TEXT_END = /<[a-z/!?]/gi;
const MARKUP =
  /<!--(?:>|->|[^]*?(?:-->|$))|<\/([a-z][^\t\n\f\r />]*)[^>]*(?:>|$)|<([a-z][^\t\n\f\r />]*)|<[/!?][^>]*(?:>|$)/giy;
// `>`, or a name and its value: quoted, begun with a quote that never ends, or bare.
const ATTRIBUTE =
  /[\t\n\f\r /]*(?:(>)|(=?[^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|(["'])|([^\t\n\f\r >]*)))?)/gy;
// Elements whose content is text up to their own end tag.
const RAW = new Map(
  ["script", "style", "textarea", "title", "xmp", "iframe"].map((name) => [name, new RegExp(`</${name}[\\t\\n\\f\\r />]`, "gi")]),
);

// The tags and texts of a document, in order: `{ open: "img", attributes: { src: … } }`,
// `{ close: "p" }` and `{ text: … }`. Names are in lower case, values and texts decoded.
export function* tokens(html) {
  let at = 0;
  let raw;
  while (at < html.length) {
    const end = textEnd(html, at, RAW.get(raw) ?? TEXT_END);
    if (end > at) {
      const text = html.slice(at, end);
      yield { text: raw === "script" || raw === "style" ? text : decode(text) };
      at = end;
    }
    raw = undefined;
    if (at === html.length) {
      return;
    }
    MARKUP.lastIndex = at;
    const [whole, close, open] = MARKUP.exec(html);
    at += whole.length;
    if (close !== undefined) {
      yield { close: close.toLowerCase() };
    } else if (open !== undefined) {
      const tag = attributes(html, at);
      if (tag === undefined) {
        // A tag that the document's end cuts off is no tag.
        return;
      }
      at = tag.end;
      const name = open.toLowerCase();
      raw = name;
      yield { open: name, attributes: tag.attributes };
    }
  }
}

// Only the start tags of these names, or all: `for (const { attributes } of tags(page, "img"))`.
export function* tags(html, ...names) {
  for (const token of tokens(html)) {
    if (token.open !== undefined && (names.length === 0 || names.includes(token.open))) {
      yield token;
    }
  }
}

// Attributes from behind a tag's name; the first of a name counts.
function attributes(html, start) {
  const found = {};
  ATTRIBUTE.lastIndex = start;
  while (ATTRIBUTE.lastIndex < html.length) {
    const part = ATTRIBUTE.exec(html);
    if (part === null || part[0] === "") {
      return undefined;
    }
    const [, closed, name, double, single, unclosed, bare] = part;
    if (unclosed !== undefined) {
      return undefined;
    }
    if (closed !== undefined) {
      return { attributes: found, end: ATTRIBUTE.lastIndex };
    }
    if (name !== "" && !Object.hasOwn(found, name.toLowerCase())) {
      found[name.toLowerCase()] = decode(double ?? single ?? bare ?? "");
    }
  }
  return undefined;
}

// Where the text that begins here ends. A `<` that begins no markup is text.
function textEnd(html, at, end) {
  end.lastIndex = at;
  return end.exec(html)?.index ?? html.length;
}

// The names of U+00A0 to U+00FF, in order, and of what else stands in Western texts.
const LATIN = `nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr
  deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest
  Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml
  ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig
  agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml
  eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml`;
const NAMED = new Map([
  ...LATIN.split(/\s+/).map((name, index) => [name, String.fromCharCode(0xa0 + index)]),
  ...Object.entries({
    amp: "&", quot: '"', apos: "'", lt: "<", gt: ">", ndash: "–", mdash: "—", lsquo: "‘", rsquo: "’",
    sbquo: "‚", ldquo: "“", rdquo: "”", bdquo: "„", lsaquo: "‹", rsaquo: "›", bull: "•", hellip: "…",
    euro: "€", trade: "™", OElig: "Œ", oelig: "œ", Scaron: "Š",
  }),
]);

// `text` with its character references replaced; unknown ones and those without `;` stay.
export const decode = (text) =>
  text.includes("&") ? text.replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z0-9]+));/gi, reference) : text;

function reference(whole, decimal, hexadecimal, name) {
  if (name !== undefined) {
    return NAMED.get(name) ?? whole;
  }
  const code = decimal === undefined ? parseInt(hexadecimal, 16) : parseInt(decimal, 10);
  // What is no character is shown as browsers show it.
  const legal = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return legal ? String.fromCodePoint(code) : "\ufffd";
}
