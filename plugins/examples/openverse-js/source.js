// Openly licensed pictures from Openverse: the twin of `plugins/openverse`, in JavaScript.

import {
  InvalidQuery, LayoutChanged, RateLimited, api, candidate, count, creativeCommonsId, credential, dimensions, each,
  expectNone, get, license, mediaType, need, option, paged,
} from "./sdk/pixcrawler.js";

const HOST = "api.openverse.org";
// In characters; the API cuts silently what is longer.
const LONGEST_QUERY = 200;
// Results on a page. Without a credential the API refuses more than 20, and gives 240 for one search.
const [PAGE, LARGEST_PAGE, ANONYMOUS_DEPTH] = [20, 50, 240];

const choices = (name, label, help, choices) => option(name, label, help, { kind: "choices", choices });

const FILTERS = [
  choices("license", "Licences", "Only pictures under one of these; all of them by default.", [
    ["by", "CC BY"], ["by-sa", "CC BY-SA"], ["by-nd", "CC BY-ND"], ["by-nc", "CC BY-NC"], ["by-nc-sa", "CC BY-NC-SA"],
    ["by-nc-nd", "CC BY-NC-ND"], ["cc0", "CC0"], ["pdm", "Public Domain Mark"],
  ]),
  choices("license_type", "Use", "Only pictures whose licence allows all of these.", [
    ["commercial", "Commercial use"], ["modification", "Modification"],
  ]),
  option("source", "Collections", "Only from these, separated by commas, for example `flickr,wikimedia`."),
  choices("extension", "File types", "Only files of these types.", [
    ["jpg", "JPEG (.jpg)"], ["jpeg", "JPEG (.jpeg)"], ["png", "PNG"], ["gif", "GIF"], ["webp", "WebP"],
  ]),
  choices("aspect_ratio", "Shape", "Only pictures of these shapes.", [
    ["tall", "Tall"], ["wide", "Wide"], ["square", "Square"],
  ]),
  choices("size", "Size", "Only pictures of these sizes.", [
    ["small", "Small"], ["medium", "Medium"], ["large", "Large"],
  ]),
  choices("category", "Kind", "Only pictures of these kinds; many pictures have none.", [
    ["photograph", "Photograph"], ["illustration", "Illustration"], ["digitized_artwork", "Digitized artwork"],
  ]),
];

export const source = paged({
  info: {
    id: "openverse",
    name: "Openverse",
    version: "0.1.0",
    description: "Openly licensed and public domain pictures from Flickr, Wikimedia Commons, museums and " +
      "others, with licence and creator.",
    homepage: "https://openverse.org/",
    termsUrl: "https://docs.openverse.org/terms_of_service.html",
    hosts: [api(HOST)],
    options: FILTERS,
    credentials: [
      credential(
        "api",
        "Client id and secret as `id:secret`, from https://api.openverse.org/v1/#tag/auth. " +
          "Lifts the limits of 240 results for a search and 200 requests a day.",
        { tokenUrl: `https://${HOST}/v1/auth_tokens/token/` },
        [HOST],
      ),
    ],
    requestsPerMinute: 20,
  },

  page(query, number) {
    const largest = query.hasCredential("api") ? LARGEST_PAGE : PAGE;
    const parameters = {
      q: [...query.text.trim()].slice(0, LONGEST_QUERY).join(""),
      page: number,
      page_size: Math.min(Math.max(query.limit, PAGE), largest),
      mature: query.safeSearch ? undefined : true,
      ...Object.fromEntries(FILTERS.map(({ name }) => [name, query.option(name)])),
    };
    return get(`https://${HOST}/v1/images/`, parameters, { credential: "api" });
  },

  read(query, number, answer) {
    const anonymous = !query.hasCredential("api");
    if (answer.any !== undefined && ended(answer.any, number, anonymous)) {
      return { warnings: [depthReached(detail(answer.any))], more: false };
    }
    const list = answer.response().json("results", "page_count");
    const more = number < count(list, "page_count") && list.results.length > 0;
    const results = whole(list.result_count);
    if (number === 1 && list.results.length === 0) {
      expectNone(Math.max(results, count(list, "page_count")), "results");
    }
    expectField(list.results, "license");
    const { candidates, warnings } = each(list.results, picture);
    if (number === 1 && [...query.text.trim()].length > LONGEST_QUERY) {
      warnings.push(`Openverse searches for the first ${LONGEST_QUERY} characters only`);
    }
    if (!more && anonymous && Math.min(number * PAGE, results) >= ANONYMOUS_DEPTH) {
      warnings.push(depthReached(""));
    }
    return { candidates, warnings, more };
  },
});

// Anything but the address may be missing, null or something else, and costs nothing but itself.
function picture(image) {
  const extra = ["provider", "source", "category"].filter((name) => text(image[name]) !== undefined);
  return candidate(need(image, "url"), {
    id: text(image.id),
    pageUrl: text(image.foreign_landing_url),
    thumbnailUrl: text(image.thumbnail),
    title: text(image.title),
    creator: text(image.creator),
    creatorUrl: text(image.creator_url),
    license: terms(image),
    dimensions: dimensions(image.width, image.height),
    mime: mediaType(text(image.filetype) ?? ""),
    byteSize: whole(image.filesize) || undefined,
    tags: (Array.isArray(image.tags) ? image.tags : []).map((tag) => text(tag?.name)).filter((name) => name !== undefined),
    extra: extra.map((name) => [`openverse.${name}`, image[name]]),
  });
}

const text = (value) => (typeof value === "string" ? value : undefined);

// A whole number, or a text of one; 0 for everything else.
function whole(value) {
  const given = typeof value === "string" && /^\d+(\.0+)?$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(given) && given > 0 ? given : 0;
}

// That a result lacks it is its own affair; where all do, the site has changed.
function expectField(results, field) {
  const objects = results.filter((result) => result instanceof Object && !Array.isArray(result));
  if (objects.length > 0 && !objects.some((result) => Object.hasOwn(result, field))) {
    throw new LayoutChanged(`no result has the field \`${field}\``);
  }
}

// Of what is no licence but public domain: what it is called and where it is explained.
const MARKS = new Map([["cc0", ["CC0", "zero"]], ["pdm", ["Public Domain Mark", "mark"]]]);

// The licence with its address and a line to print, which older answers leave out.
function terms(image) {
  const names = ["license", "license_version", "license_url", "attribution", "title", "creator"];
  const [said, version, url, attribution, title, creator] = names.map((name) => text(image[name]));
  if (said === undefined) {
    return license("unknown");
  }
  const code = said.toLowerCase();
  const id = creativeCommonsId(code, version);
  const [mark, kind] = MARKS.get(code) ?? [];
  const name = mark ? `${mark} ${version || "1.0"}` : `CC ${code.toUpperCase()} ${version ?? ""}`.trimEnd();
  const path = mark ? `publicdomain/${kind}/${version || "1.0"}/` : version && `licenses/${code}/${version}/`;
  const what = title === undefined ? "This work" : `"${title}"`;
  const by = creator === undefined ? "" : ` by ${creator}`;
  return license(id, {
    url: url ?? (path && id !== "unknown" ? `https://creativecommons.org/${path}` : undefined),
    attribution: attribution ?? `${what}${by} is ${mark ? "marked with" : "licensed under"} ${name}.`,
  });
}

// Statuses that mean something special here: the end of what an anonymous search may see, a
// filter that the API does not know, and a time to wait that is said only in words.
function ended(response, number, anonymous) {
  const { status } = response;
  if (number > 1 && ([400, 403, 404].includes(status) || (status === 401 && anonymous))) {
    return true;
  }
  if (status === 400) {
    throw new InvalidQuery(`Openverse refuses the search: ${detail(response)}`);
  }
  if (status === 429 && response.header("retry-after") === undefined) {
    const seconds = /(\d+) second/.exec(detail(response))?.[1];
    throw new RateLimited(seconds && Number(seconds));
  }
  return false;
}

const depthReached = (detail) =>
  `Openverse gives no more results for this search${detail && ` (${detail})`}; ` +
  `without a credential it gives ${ANONYMOUS_DEPTH}`;

// What an error says: the text under `detail`, or all of it.
function detail(response) {
  let said = response.text;
  try {
    const { detail } = response.json("detail");
    said = typeof detail === "string" ? detail : said;
  } catch {
    // No JSON: its own words.
  }
  return [...said.trim().replace(/\s+/g, " ")].slice(0, 200).join("");
}
