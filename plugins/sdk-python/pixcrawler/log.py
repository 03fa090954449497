"""Lines for the author of a source; not part of the result."""

import sys
from typing import Literal

try:
    from wit_world.imports import log as host
except ImportError:
    # Outside a component there is no host to take them.
    host = None


def log(level: Literal["debug", "info", "warn", "error"], message: str) -> None:
    """Writes a line to the source's log; in a native test, to stderr."""
    try:
        if host is not None:
            return host.log(host.Level[level.upper()], str(message))
    except NotImplementedError:
        # Of the bindings there are only the types.
        pass
    print(f"{level}: {message}", file=sys.stderr)
