// What a source says of itself.

const LISTS = { hosts: [], options: [], credentials: [], extra: [] };

// The whole of what the contract asks for, from what the author wrote.
export function described(info) {
  for (const name of ["id", "name", "version"]) {
    if (typeof info?.[name] !== "string") {
      throw new TypeError(`\`info.${name}\` is missing`);
    }
  }
  return { description: "", input: "keywords", ignoresRobots: false, ...LISTS, ...info };
}

// A documented API under that host name, used under its terms.
export const api = (pattern) => ({ pattern, kind: "api" });

// Pages made for people under that host name; robots.txt is asked.
export const web = (pattern) => ({ pattern, kind: "web" });

// Something the user may set.
export const option = (name, label, help, fields = {}) =>
  ({ name, label, help, kind: "text", required: false, choices: [], ...fields });

// A secret that the operator may configure.
export const credential = (name, help, kind, hosts, { required = false } = {}) =>
  ({ name, help, required, kind: kinds(kind), hosts });

function kinds(kind) {
  if (kind === "basic") {
    return { tag: "basic" };
  }
  if (kind.header !== undefined) {
    return { tag: "header", val: { name: kind.header, prefix: kind.prefix ?? "" } };
  }
  if (kind.parameter !== undefined) {
    return { tag: "query-parameter", val: kind.parameter };
  }
  return { tag: "oauth2-client-credentials", val: kind.tokenUrl };
}
