// The contract's errors, to be thrown. Each ends the step and leaves the state as it was.

export class SourceError extends Error {
  constructor(tag, val, message = val) {
    super(message);
    this.name = new.target.name;
    this.tag = tag;
    this.val = val;
  }
}

export class InvalidQuery extends SourceError {
  constructor(message) {
    super("invalid-query", message);
  }
}

export class Unauthorized extends SourceError {
  constructor(message) {
    super("unauthorized", message);
  }
}

export class RateLimited extends SourceError {
  constructor(seconds) {
    // What is no number of seconds that the contract can hold counts as unknown.
    const known = Number.isInteger(seconds) && seconds >= 0 && seconds < 2 ** 32;
    super("rate-limited", known ? seconds : undefined, "the site limits the rate of requests");
  }
}

export class Unavailable extends SourceError {
  constructor(message) {
    super("unavailable", message);
  }
}

export class LayoutChanged extends SourceError {
  constructor(message) {
    super("layout-changed", message);
  }
}

// What `Answer.response` throws where the host left the request out, because the crawl has the thing
// that its `item` names. Nothing is wrong, so it is no error of the contract: `each` passes over it, and a
// source that lets it out of a step has a mistake, which is told as that.
export class Skipped extends Error {
  constructor(place) {
    super(
      `${place} was left out, because the crawl has its \`item\` already: look at \`skipped\` of the answer ` +
        "before `response`, and go on without it",
    );
    this.name = new.target.name;
  }
}
