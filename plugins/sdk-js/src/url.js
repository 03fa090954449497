// Addresses: resolving references and escaping text.

import { host } from "./host.js";
import { whole } from "./text.js";

// Bytes of an address; the host takes none that is longer.
export const LONGEST = 8_192;

// Everything but letters, digits and `-._~` percent-encoded as UTF-8, for a name or value
// in a query or one segment of a path.
export const escape = (text) => encodeURIComponent(whole(String(text))).replace(/[!'()*]/g, hex);

// The absolute http(s) address that `reference` means in a document at `base`, as browsers read it
// (URL standard, section 4.4), without its fragment, which is never sent. Undefined for all that is
// no http(s) in the end, and where the base, the reference or the address is longer than `LONGEST`.
// Beyond ASCII the query stays as it is: PixCrawler escapes it in the encoding of the page.
export function resolve(base, reference) {
  const target = read(reference, read(base));
  if (target === undefined) {
    return undefined;
  }
  const { scheme, authority, path, query } = target;
  const address = `${scheme}://${authority}${path}${query === undefined ? "" : `?${query}`}`;
  return bytes(address) > LONGEST ? undefined : address;
}

const bytes = (text) => encodeURIComponent(text).replace(/%../g, "%").length;

// The parts of an address, from those of its base where it does not say them.
function read(address, base) {
  const text = typeof address === "string" ? trimmed(address) : undefined;
  if (text === undefined || text.length > LONGEST) {
    return undefined;
  }
  const [, given, rest] = /^(?:([a-z][a-z0-9+.-]*):)?([^]*)$/i.exec(whole(text.replace(/[\t\n\r]|#[^]*/g, "")));
  const scheme = given?.toLowerCase() ?? base?.scheme;
  if (scheme !== "http" && scheme !== "https") {
    return undefined;
  }
  // `https:a` is a relative reference where the base is https, too.
  if (scheme !== base?.scheme || /^[/\\]{2}/.test(rest)) {
    return absolute(scheme, rest);
  }
  const [, path, query] = /^([^?]*)(?:\?([^]*))?$/.exec(rest);
  if (path === "") {
    return query === undefined ? base : { ...base, query: escaped(query, NOT_IN_QUERY) };
  }
  const folder = /^[/\\]/.test(path) ? [] : base.path.split("/").slice(1, -1);
  return { ...base, path: joined(folder, path), query: query && escaped(query, NOT_IN_QUERY) };
}

// An expression would begin anew at each space.
function trimmed(text) {
  let [start, end] = [0, text.length];
  while (start < end && text[start] <= " ") {
    start += 1;
  }
  while (end > start && text[end - 1] <= " ") {
    end -= 1;
  }
  return text.slice(start, end);
}

const DEFAULT_PORTS = { http: 80, https: 443 };

function absolute(scheme, rest) {
  const [, authority, path, query] = /^[/\\]*([^/\\?]*)([^?]*)(?:\?([^]*))?$/.exec(rest);
  const at = authority.lastIndexOf("@");
  const [, name, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority.slice(at + 1)) ?? [];
  const known = name && host(name);
  if (!known || port > 65_535) {
    return undefined;
  }
  const number = port && Number(port) !== DEFAULT_PORTS[scheme] ? `:${Number(port)}` : "";
  return {
    scheme,
    authority: login(authority.slice(0, Math.max(at, 0))) + known + number,
    path: joined([], path),
    query: query && escaped(query, NOT_IN_QUERY),
  };
}

// Who asks, with a password or without.
function login(text) {
  const [, user, password] = /^([^:]*):?([^]*)$/.exec(text);
  const secret = password && `:${escaped(password, NOT_IN_USER)}`;
  return user || secret ? `${escaped(user, NOT_IN_USER)}${secret}@` : "";
}

// The path below a folder, without `.` and `..`.
function joined(folder, path) {
  const kept = [...folder];
  const segments = path.replace(/^[/\\]/, "").split(/[/\\]/);
  for (const [index, segment] of segments.entries()) {
    const dots = /^(?:\.|%2e){1,2}$/i.exec(segment)?.[0].replace(/%2e/gi, ".");
    if (dots === undefined) {
      kept.push(escaped(segment, NOT_IN_PATH));
      continue;
    }
    if (dots === "..") {
      kept.pop();
    }
    // Dots at the end stand for the folder itself.
    if (index === segments.length - 1) {
      kept.push("");
    }
  }
  return `/${kept.join("/")}`;
}

// What may not stand there is escaped, what is escaped already left alone.
const NOT_IN_QUERY = /[\0- "#'<>\x7f]/g;
const NOT_IN_PATH = /[^!$-;=@-\]_a-z|~]/gu;
const NOT_IN_USER = /[^!$-.0-9A-Z_a-z~]/gu;

const escaped = (text, characters) =>
  text.replace(characters, (one) => (one === "'" ? "%27" : encodeURIComponent(one)));

const hex = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
