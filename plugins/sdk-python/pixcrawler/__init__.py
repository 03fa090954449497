"""What makes a PixCrawler source in Python short: all that an author imports.

A source is a pure function: it is given the answers to what it asked for, and says which
pictures it found and what to ask for next. It is the class `Source` of a module `source`,
made from one of

- `Paged`: page 1, 2, 3, … of a list;
- `Chained`: each answer says where the next one is;
- `Listed`: a list in pages, and a request for each thing on it;
- `Machine`: anything else.

What each item of the contract means in full stands in `wit/source.wit`.
"""

from .candidate import (
    Candidate, Checksum, Dimensions, License, creative_commons_id, dimensions, license_from_url, media_type,
)
from .errors import InvalidQuery, LayoutChanged, RateLimited, Skipped, SourceError, Unauthorized, Unavailable
from .info import Basic, Credential, Header, Info, OAuth2, Option, Parameter, api, web
from .listed import Listed
from .log import log
from .machine import Chained, Found, Machine, Paged, Turn
from .message import Answer, Failure, Query, Request, Response, get, post
from .page import Close, Tag, tags, tokens
from .references import decode
from .results import count, each, expect_none, need
from .url import resolve
