// What a source offers: pictures and their licences.

import { LayoutChanged } from "./error.js";
import { onlyKnown } from "./fields.js";
import { shown } from "./text.js";

const TEXT = (value) => typeof value === "string";
const COUNT = (value) => Number.isSafeInteger(value) && value >= 0;
const TEXTS = (value) => Array.isArray(value) && value.every(TEXT);
const PAIRS = (value) => Array.isArray(value) && value.every((pair) => TEXTS(pair) && pair.length === 2);
const SIDE = (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
const MAYBE = (fits) => (value) => value === undefined || value === null || fits(value);
// A value of that form; another field than these is the author's mistake.
const RECORD = (place, parts) => (value) => {
  const fits = typeof value === "object" && Object.entries(parts).every(([name, fits]) => fits(value[name]));
  if (fits) {
    onlyKnown(value, Object.keys(parts), place);
  }
  return fits;
};
const LICENSE = RECORD("a licence", { id: TEXT, url: MAYBE(TEXT), attribution: MAYBE(TEXT) });
const DIMENSIONS = RECORD("a size", { width: SIDE, height: SIDE });
const CHECKSUM = RECORD("a checksum", { digest: (value) => ["md5", "sha1", "sha256"].includes(value), hex: TEXT });

// The fields of a candidate but for its address.
const FIELDS = {
  alternates: TEXTS, id: TEXT, pageUrl: TEXT, thumbnailUrl: TEXT, title: TEXT, description: TEXT,
  creator: TEXT, creatorUrl: TEXT, license: LICENSE, published: TEXT, dimensions: DIMENSIONS, mime: TEXT,
  byteSize: COUNT, checksum: CHECKSUM, tags: TEXTS, headers: PAIRS, credential: TEXT, extra: PAIRS, labels: TEXTS,
};

// A picture of which `url` must be known. A field that has the wrong type is the site's
// doing, one that does not exist the author's.
export function candidate(url, fields = {}) {
  if (!TEXT(url) || !/^https?:\/\//i.test(url)) {
    throw new LayoutChanged(`not the address of a picture: ${shown(url)}`);
  }
  const made = { url, alternates: [], tags: [], headers: [], extra: [] };
  for (const [name, value] of Object.entries(fields)) {
    onlyKnown({ [name]: value }, Object.keys(FIELDS), "a candidate");
    if (value === undefined || value === null) {
      continue;
    }
    if (!FIELDS[name](value)) {
      throw new LayoutChanged(`\`${name}\` cannot be ${shown(value)}`);
    }
    made[name] = value;
  }
  // The contract has no field for classes; its `extra` has them, each under `label`.
  const { labels = [], ...rest } = made;
  return { ...rest, extra: [...rest.extra, ...labels.map((label) => ["label", label])] };
}

// Width and height in pixels, as numbers or texts of them, if both are known and neither is 0.
// What can be no size is not known.
export function dimensions(...sides) {
  const [width, height] = sides.map((side) => {
    const value = TEXT(side) && /^\d+(\.0+)?$/.test(side) ? Number(side) : side;
    return SIDE(value) ? value : 0;
  });
  return width && height ? { width, height } : undefined;
}

export function license(id, rest = {}) {
  onlyKnown(rest, ["url", "attribution"], "a licence");
  return { id, url: rest.url, attribution: rest.attribution };
}

// The licence that a page or an API names by its address. Creative Commons addresses give
// their id, all others `unknown` and the address.
export function licenseFromUrl(url) {
  return license(creativeCommons(url) ?? "unknown", { url });
}

const LICENSES = ["by", "by-nc", "by-nc-nd", "by-nc-sa", "by-nd", "by-sa"];
const VERSIONS = ["1.0", "2.0", "2.1", "2.5", "3.0", "4.0"];

// The id of a Creative Commons licence (`by-nc`, `2.0`), of `cc0` or of the public domain mark
// (`pdm`). `unknown` for everything else, retired ones (`sampling+`) and versions that there are
// not among them: no part of a licence is left out.
export function creativeCommonsId(code, version) {
  if (!TEXT(code) || !MAYBE(TEXT)(version)) {
    throw new LayoutChanged(`a licence cannot be ${shown([code, version])}`);
  }
  const known = code.trim().toLowerCase().replace("nd-nc", "nc-nd");
  const number = version?.trim() ?? "";
  if (known === "cc0" || known === "pdm") {
    // These two have one version, and many sources do not say it.
    return number === "" || number === "1.0" ? `${known}-1.0` : "unknown";
  }
  if (!LICENSES.includes(known) || (number !== "" && !VERSIONS.includes(number))) {
    return "unknown";
  }
  return number === "" ? `cc-${known}` : `cc-${known}-${number}`;
}

const MEDIA_TYPES = new Map(Object.entries({
  jpg: "jpeg", jpeg: "jpeg", png: "png", gif: "gif", webp: "webp", svg: "svg+xml", tif: "tiff", tiff: "tiff",
}));

// The media type that a file name's extension stands for (`jpg`, `.PNG`), if it is a picture's.
export function mediaType(extension) {
  const type = MEDIA_TYPES.get(extension.replace(/^\.+/, "").toLowerCase());
  return type && `image/${type}`;
}

// Words behind the address may say anything: it is read only to a query, and whole.
const CREATIVE_COMMONS = /^(?:https?:\/\/)?(?:www\.)?creativecommons\.org\/([a-z0-9/._-]*)(?:[?#]|$)/;

function creativeCommons(url) {
  const [, path = ""] = CREATIVE_COMMONS.exec(url.trim().toLowerCase()) ?? [];
  const [kind, code, rest] = path.split("/").filter((part) => part !== "");
  // `/licenses/by/deed.de` names no version.
  const version = /^\d/.test(rest ?? "") ? rest : undefined;
  if (kind === "publicdomain" && (code === "zero" || code === "mark")) {
    return creativeCommonsId(code === "zero" ? "cc0" : "pdm", version);
  }
  return kind === "licenses" && code?.startsWith("by") ? creativeCommonsId(code, version) : undefined;
}
