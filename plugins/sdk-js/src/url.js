// Addresses: resolving references and escaping text.

import { whole } from "./text.js";

// Everything but letters, digits and `-._~` percent-encoded as UTF-8, for a name or value
// in a query or one segment of a path.
export const escape = (text) =>
  encodeURIComponent(whole(String(text))).replace(/[!'()*]/g, hex);

// The absolute http(s) address that `reference` means in a document at `base` (RFC 3986,
// section 5, strict), without its fragment; undefined for everything that is no http(s) in
// the end. As browsers do, space around it and line breaks in it are dropped, `\` counts
// as `/`, and what may not stand in an address is escaped.
export function resolve(base, reference) {
  const from = parts(clean(base));
  const given = parts(clean(reference));
  if (given.scheme !== undefined) {
    return write({ ...given, path: normal(given.path) });
  }
  if (given.authority !== undefined) {
    return write({ ...given, scheme: from.scheme, path: normal(given.path) });
  }
  if (given.path === "") {
    return write({ ...from, query: given.query ?? from.query });
  }
  const folder = from.path.slice(0, from.path.lastIndexOf("/") + 1) || "/";
  const path = given.path.startsWith("/") ? given.path : folder + given.path;
  return write({ ...from, path: normal(path), query: given.query });
}

const PARTS = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/is;

function parts(address) {
  const [, scheme, authority, path, query] = PARTS.exec(address.split("#", 1)[0]);
  return { scheme, authority, path, query };
}

function write({ scheme, authority, path, query }) {
  if (!/^https?$/i.test(scheme ?? "") || !authority) {
    return undefined;
  }
  const rest = query === undefined ? "" : `?${clear(query)}`;
  return `${scheme.toLowerCase()}://${authority}${clear(path || "/")}${rest}`;
}

function clean(address) {
  const trimmed = String(address).replace(/^[\0- ]+|[\0- ]+$/g, "").replace(/[\t\n\r]/g, "");
  const end = trimmed.search(/[?#]/);
  const path = end < 0 ? trimmed : trimmed.slice(0, end);
  return path.replaceAll("\\", "/") + trimmed.slice(path.length);
}

// The path without `.` and `..` (RFC 3986, section 5.2.4).
function normal(path) {
  if (!path.startsWith("/")) {
    return path;
  }
  const kept = [];
  const segments = path.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    if (segment !== "." && segment !== "..") {
      kept.push(segment);
      continue;
    }
    if (segment === "..") {
      kept.pop();
    }
    // A dot segment at the end stands for the folder itself.
    if (index === segments.length - 1) {
      kept.push("");
    }
  }
  return `/${kept.join("/")}`;
}

// What may not stand in an address escaped, what is escaped already left alone.
const clear = (text) => whole(text).replace(/[^!#-;=?-_a-~]+/g, encodeURIComponent);

const hex = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
