// Lines for the author of a source; not part of the result.

// In a component this is the host's log. Under Node there is none, and the console has its place.
const host = await import("pixcrawler:source/log").then(
  (found) => found.log,
  () => (level, message) => console.error(`${level}: ${message}`),
);

export const log = (level, message) => host(level, String(message));

// QuickJS has no console; here it writes to the log.
const line = (level) => (...values) =>
  log(level, values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
globalThis.console ??= {
  debug: line("debug"), log: line("info"), info: line("info"), warn: line("warn"), error: line("error"),
};
