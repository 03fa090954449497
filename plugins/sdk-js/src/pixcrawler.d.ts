// The types of `pixcrawler.js`; what each item means stands in `wit/source.wit` in full.

export type Pairs = [name: string, value: string][];

/** What is looked for. The same in every call of a crawl. */
export class Query {
  /** Keywords or an address, see `Info.input`. */
  readonly text: string;
  /** Images the whole job wants: a hint for page sizes. */
  readonly limit: number;
  readonly safeSearch: boolean;
  /** BCP 47, for example `de` or `pt-BR`. */
  readonly language?: string;
  readonly options: Pairs;
  readonly credentials: string[];
  readonly extra: Pairs;
  /** The value of an option, if it has one; one that is not declared is a mistake. */
  option(name: string): string | undefined;
  /** Whether the operator has configured that credential. */
  hasCredential(name: string): boolean;
}

/** Something for the host to fetch; made with `get` or `post`. */
export interface Request {
  /** Comes back in the answer. */
  key: string;
  method: "get" | "post";
  /** Absolute; its host must be one of `Info.hosts`. */
  url: string;
  headers: Pairs;
  body?: { tag: "text"; val: string } | { tag: "binary"; val: Uint8Array };
  /** Name of a declared credential; the host adds the secret. */
  credential?: string;
  /** The `id` of the candidates this will lead to; the host may answer `skipped`. */
  item?: string;
  /** The host keeps the answer; asking again costs no request. */
  keep: boolean;
  extra: Pairs;
}

export type Failure =
  | { tag: "denied" | "robots" | "network" | "other"; val: string }
  | { tag: "skipped" | "timeout" }
  | { tag: "too-large"; val: bigint | number }
  | { tag: "status"; val: number };

export class Answer {
  /** `key` and `url` of the request. */
  readonly key: string;
  readonly url: string;
  /** What came back, whatever its status; undefined for a failure. */
  readonly any?: Response;
  /** Why there is no answer; undefined if there is one. */
  readonly failure?: Failure;
  /**
   * Whether the host left the request out, because the crawl has the thing that its `item` names:
   * there is nothing to read, and nothing is wrong.
   */
  readonly skipped: boolean;
  /**
   * The response, if its status is 200 to 299. Else throws what fits: 401 `Unauthorized`;
   * 429 `RateLimited`; 400, 404, 405, 410, 422 `LayoutChanged`; what the host's rules refuse
   * `InvalidQuery`; what it left out `Skipped`; anything else `Unavailable`.
   */
  response(): Response;
}

export class Response {
  readonly status: number;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Pairs;
  readonly body: { tag: "text"; val: string } | { tag: "binary"; val: Uint8Array };
  /** The body as text; throws `LayoutChanged` when it is not. */
  readonly text: string;
  /** The first header of that name, given in lower case. */
  header(name: string): string | undefined;
  /**
   * The body as JSON; throws `LayoutChanged` when it is not, is nested deeper than 128, or lacks
   * one of `fields`. Halves of characters in it become U+FFFD.
   */
  json(...fields: string[]): any;
}

export interface License {
  /** Lower-case SPDX where there is one, else `pdm-1.0`, `all-rights-reserved` or `unknown`. */
  id: string;
  url?: string | null;
  /** The line to print beside the picture. */
  attribution?: string | null;
}

export interface Dimensions { width: number; height: number }

/** What may be said of a picture. What the source does not say is left out. */
export interface Fields {
  /** Other copies, best first, tried when the address is gone for good. */
  alternates?: string[] | null;
  /** The source's own id. */
  id?: string | null;
  /** The page a person would open to see it. */
  pageUrl?: string | null;
  /** A small copy, for previews. */
  thumbnailUrl?: string | null;
  title?: string | null;
  /** Description or alternative text. */
  description?: string | null;
  creator?: string | null;
  creatorUrl?: string | null;
  license?: License | null;
  /** RFC 3339 date or date-time. */
  published?: string | null;
  dimensions?: Dimensions | null;
  /** Media type, as declared. */
  mime?: string | null;
  byteSize?: number | null;
  checksum?: { digest: "md5" | "sha1" | "sha256"; hex: string } | null;
  tags?: string[] | null;
  /** For the download, for example `referer`; sent only to granted hosts. */
  headers?: Pairs | null;
  credential?: string | null;
  /** What has no field, under `<plugin-id>.<name>`. */
  extra?: Pairs | null;
  /**
   * Its classes, the foremost first: that is its folder in the dataset, unless the user gave another to the whole
   * input. For sources that know classes; words for what it shows are `tags`.
   */
  labels?: string[] | null;
}

/** Its `labels` are in `extra`, as the host takes them. */
export interface Candidate extends Omit<Fields, "labels"> { url: string }

export interface HostRule { pattern: string; kind: "api" | "web" }

export interface OptionSpec {
  name: string;
  label: string;
  help: string;
  kind: "text" | "integer" | "boolean" | "choice" | "choices";
  required: boolean;
  default?: string;
  /** Value and label. */
  choices: Pairs;
}

export interface CredentialSpec { name: string; help: string; required: boolean; kind: object; hosts: string[] }

/** What the source is and what it asks for. */
export interface Info {
  /** Lower-case letters, digits and `-`; never changes. */
  id: string;
  name: string;
  /** Semantic. */
  version: string;
  description?: string;
  homepage?: string;
  termsUrl?: string;
  /** What `Query.text` is; `keywords` when left out. */
  input?: "keywords" | "address";
  /** For requests; pictures may be anywhere public. */
  hosts?: HostRule[];
  ignoresRobots?: boolean;
  /** Why the operator must allow the source by name, in one sentence for people. */
  restriction?: string;
  options?: OptionSpec[];
  credentials?: CredentialSpec[];
  requestsPerMinute?: number;
  /** The most one query can ever give. */
  maxResults?: number;
  extra?: Pairs;
}

export interface Found {
  candidates?: Candidate[];
  /** For the person whose crawl it is: what was left out and why. */
  warnings?: string[];
}

/** What a component exports under the name `source`; plain functions, to be tested as such. */
export interface Source {
  describe(): Info;
  start(query: object): object;
  resume(query: object, state: string, answers: object[]): object;
}

/** Page 1, 2, 3, … of a list. */
export interface Paged {
  info: Info;
  /** The request for page `number`, counted from 1. */
  page(query: Query, number: number): Request;
  /** What page `number` holds, and whether there is another. */
  read(query: Query, number: number, answer: Answer): Found & { more: boolean };
}
export function paged(source: Paged): Source & Paged;

/** Each answer says where the next one is. */
export interface Chained<Memo = any> {
  info: Info;
  first(query: Query): Request;
  /** `memo` is what the last call gave, null at first. Without `next` the source is done. */
  read(query: Query, memo: Memo | null, answer: Answer): Found & { next?: Request; memo?: Memo };
}
export function chained<Memo>(source: Chained<Memo>): Source & Chained<Memo>;

/** A list that only names things, and a request for each of them. */
export interface Listed<Place = any> {
  info: Info;
  /** The request for a page of the list; `place` is null for the first. */
  page(query: Query, place: Place | null): Request;
  /**
   * The ids on that page, best first, and the place of the next one, if there is one: a number, a cursor.
   * Results without an id are left out with a warning. A page is read again for every few hundred of its ids,
   * and one that begins as one before it ends the list.
   */
  ids(query: Query, place: Place | null, answer: Answer): { ids: (string | number | null | undefined)[]; next?: Place | null };
  /** The request for one thing. Its `key` and `item` are set to the id. */
  item(query: Query, id: string): Request;
  /**
   * The pictures of one thing: a candidate, several, none, or with the reason in a warning; their `id` is its
   * own where they say none. Not called for what the host left out and for what is no longer there (404, 410).
   * What cannot be read costs only itself, but for `RateLimited` and `Unauthorized`, and unless nothing
   * could be read so far: then it is the site.
   */
  read(query: Query, id: string, answer: Answer): Candidate | Candidate[] | Found | undefined | null;
}
export function listed<Place>(source: Listed<Place>): Source & Listed<Place>;

/** Without requests to `fetch` the source is done. */
export interface Turn<State = any> extends Found { fetch?: Request[]; state?: State }

/** Anything else. `state` travels as JSON and may have 64 KiB. */
export interface Machine<State = any> {
  info: Info;
  start(query: Query): Turn<State>;
  /** `answers` are those to the last turn's requests, in the order asked. */
  resume(query: Query, state: State, answers: Answer[]): Turn<State>;
}
export function machine<State>(source: Machine<State>): Source;

/**
 * Reads every element of a list by itself: a bad one costs only itself, in a warning; when all
 * are bad, `LayoutChanged` is thrown. Bad is also what throws a `TypeError`, `RangeError`, `SyntaxError` or
 * `URIError`. `read` gives a candidate, several, or nothing; what throws `Skipped` is nothing, too.
 */
export function each<T = any>(
  list: T[], read: (element: T) => Candidate | Candidate[] | undefined | null,
): { candidates: Candidate[]; warnings: string[] };

/**
 * For a first page without results: throws `LayoutChanged` when the site counts some, for which `list` was
 * looked in.
 */
export function expectNone(counted: number, list: string): void;

/** A field that must be there; throws `LayoutChanged` when it is missing or null. */
export function need(object: any, field: string): any;

/** A field that must be a whole number, 0 or more; throws `LayoutChanged` for anything else. */
export function count(object: any, field: string, missing?: number): number;

type Parameter = string | number | boolean | null | undefined;
/** A GET with `parameters` added, escaped; those without a value are left out. */
export function get(url: string, parameters?: Record<string, Parameter | Parameter[]>, fields?: Partial<Request>): Request;
/** A POST of a text of that media type. */
export function post(url: string, type: string, text: string, fields?: Partial<Request>): Request;

/** Throws `LayoutChanged` when `url` is no address or a field has a wrong type. */
export function candidate(url: string, fields?: Fields): Candidate;
/**
 * Both as numbers or texts of them; undefined unless they are known and neither is 0. What can be
 * no size (a fraction, less than 0, more than 32 bits) is not known.
 */
export function dimensions(width: unknown, height: unknown): Dimensions | undefined;
export function license(id: string, rest?: { url?: string | null; attribution?: string | null }): License;
/** By address; what is not Creative Commons is `unknown`. */
export function licenseFromUrl(url: string): License;
/** The id of `by-nc` `2.0`, of `cc0` or of `pdm`; `unknown` for what is no such licence or version. */
export function creativeCommonsId(code: string, version?: string | null): string;

/** The media type that a file name's extension stands for (`jpg`, `.PNG`), if it is a picture's. */
export function mediaType(extension: string): string | undefined;

/** A documented API under that host name. */
export function api(pattern: string): HostRule;
/** Pages made for people under that host name; robots.txt is asked. */
export function web(pattern: string): HostRule;
export function option(name: string, label: string, help: string, fields?: Partial<OptionSpec>): OptionSpec;
/** `kind` says how the host uses the secret; `hosts` where it may be sent. */
export function credential(
  name: string, help: string,
  kind: "basic" | { header: string; prefix?: string } | { parameter: string } | { tokenUrl: string },
  hosts: string[], rest?: { required?: boolean },
): CredentialSpec;

/** To be thrown. Anything else that is thrown counts as the plugin's fault. */
export class SourceError extends Error { readonly tag: string; readonly val: unknown }
/** The user's: says what to write instead. Never retried. */
export class InvalidQuery extends SourceError { constructor(message: string) }
/** The operator's: credential missing or refused. Never retried. */
export class Unauthorized extends SourceError { constructor(message: string) }
/** The site's, said in a page and not by status 429; seconds to wait, if known. */
export class RateLimited extends SourceError { constructor(seconds?: number) }
/** The site's. */
export class Unavailable extends SourceError { constructor(message: string) }
/** The site no longer looks as expected. Says what was looked for. */
export class LayoutChanged extends SourceError { constructor(message: string) }

/**
 * Thrown by `Answer.response` for what the host left out. Passed over by `each`; a source that lets it out
 * of a step has a mistake, which is told as that.
 */
export class Skipped extends Error { constructor(place: string) }

/** A line for the author. Under Node it goes to the console. */
export function log(level: "debug" | "info" | "warn" | "error", message: string): void;

export interface Tag { open: string; attributes: Record<string, string> }
export type Token = Tag | { close: string; open?: undefined } | { text: string; open?: undefined };
/**
 * The tags and texts of a document, in order, as the tokenizer of the HTML standard sees them. Names in lower
 * case, values and texts decoded; `image`, which browsers take for `img`, is called that.
 */
export function tokens(html: string): Generator<Token>;
/** Only the start tags of these names, or all. */
export function tags(html: string, ...names: string[]): Generator<Tag>;
/** `text` with its character references replaced, as in the text of a page. */
export function decode(text: string): string;

/**
 * The absolute http(s) address that `reference` means in a document at `base`, as browsers read it, without its
 * fragment. Undefined for all that is no http(s) in the end, and where the base, the reference or the address is
 * longer than 8 192 bytes. `each` counts what `candidate` is given in vain.
 */
export function resolve(base: string, reference: string | null | undefined): string | undefined;
/** For a name or value in a query, or one segment of a path. */
export function escape(text: string): string;

/** For tests of a source. */
export function query(text: string, fields?: Partial<Query>): Query;
/** For tests of a source: an answer as the host would give it. */
export function answer(url: string, status: number, text: string, headers?: Pairs): Answer;
