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
    super("rate-limited", seconds, "the site limits the rate of requests");
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
