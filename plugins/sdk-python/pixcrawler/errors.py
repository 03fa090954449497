"""The contract's errors, to be raised. Each ends the step and leaves the state as it was."""


class SourceError(Exception):
    """What a source may raise. Anything else counts as the plugin's fault."""


class InvalidQuery(SourceError):
    """The user's: says what to write instead. Never retried."""


class Unauthorized(SourceError):
    """The operator's: credential missing or refused. Never retried."""


class RateLimited(SourceError):
    """The site's, said in a page and not by status 429."""

    def __init__(self, seconds: int | None = None):
        super().__init__("the site limits the rate of requests")
        # What is no number of seconds that the contract can hold counts as unknown.
        self.seconds = seconds if isinstance(seconds, int) and 0 <= seconds < 1 << 32 else None
        """To wait, if known."""


class Unavailable(SourceError):
    """The site's."""


class LayoutChanged(SourceError):
    """The site no longer looks as expected. Says what was looked for."""


class Mistake(Exception):
    """What the author of a source got wrong. It is told as that, whatever the site answered."""


class Skipped(Exception):
    """What `Answer.response` raises where the host left the request out, because the crawl has the thing.

    Nothing is wrong, so it is no `SourceError`: `each` passes over it, and a source that lets it out of a step
    has a mistake, which is told as that.
    """

    def __init__(self, place: str):
        super().__init__(
            f"{place} was left out, because the crawl has its `item` already: look at `skipped` of the answer "
            "before `response`, and go on without it"
        )
