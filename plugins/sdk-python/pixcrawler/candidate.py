"""What a source offers: pictures and their licences."""

import re
from dataclasses import dataclass, field

from .errors import LayoutChanged

Pairs = list[tuple[str, str]]
"""Ordered names and values; a name may occur more than once."""


@dataclass(slots=True)
class License:
    """Under which terms a picture is offered."""

    id: str
    """Lower-case SPDX where there is one, else `pdm-1.0`, `all-rights-reserved` or `unknown`."""
    url: str | None = None
    attribution: str | None = None
    """The line to print beside the picture."""


@dataclass(slots=True)
class Dimensions:
    """In pixels, as the source declares them."""

    width: int
    height: int


@dataclass(slots=True)
class Checksum:
    """What the source says about the bytes."""

    digest: str
    """`md5`, `sha1` or `sha256`."""
    hex: str


@dataclass(slots=True)
class Candidate:
    """A picture that may be downloaded. Only `url` must be known."""

    url: str
    """The largest original known."""
    alternates: list[str] = field(default_factory=list)
    """Other copies, best first, tried when `url` is gone for good."""
    id: str | None = None
    """The source's own id."""
    page_url: str | None = None
    """The page a person would open to see it."""
    thumbnail_url: str | None = None
    """A small copy, for previews."""
    title: str | None = None
    description: str | None = None
    """Description or alternative text."""
    creator: str | None = None
    creator_url: str | None = None
    license: License | None = None
    published: str | None = None
    """RFC 3339 date or date-time."""
    dimensions: Dimensions | None = None
    mime: str | None = None
    """Media type, as declared."""
    byte_size: int | None = None
    checksum: Checksum | None = None
    tags: list[str] = field(default_factory=list)
    """The source's own words for what it shows."""
    headers: Pairs = field(default_factory=list)
    """For the download, for example `referer`; sent only to granted hosts."""
    credential: str | None = None
    """For the download: the name of a declared one."""
    extra: Pairs = field(default_factory=list)
    """What has no field, under `<plugin-id>.<name>`."""

    def __post_init__(self) -> None:
        """A value of a wrong type is the site's doing; the host could only refuse the step."""
        if not (isinstance(self.url, str) and re.match("https?://", self.url, re.IGNORECASE)):
            raise LayoutChanged(f"not the address of a picture: {shown(self.url)}")
        for name in _TEXTS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise LayoutChanged(f"`{name}` cannot be {shown(value)}")
        size = self.byte_size
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            raise LayoutChanged(f"`byte_size` cannot be {shown(size)}")
        for name in ("alternates", "tags"):
            value = getattr(self, name)
            if not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
                raise LayoutChanged(f"`{name}` cannot be {shown(value)}")


_TEXTS = (
    "id", "page_url", "thumbnail_url", "title", "description", "creator", "creator_url", "published", "mime",
    "credential",
)


def shown(value: object) -> str:
    return repr(value)[:100]


def dimensions(width: object, height: object) -> Dimensions | None:
    """Width and height, as numbers or texts, if both are known and neither is 0."""
    sides = [int(side) if isinstance(side, str) and side.isdecimal() else side for side in (width, height)]
    return Dimensions(*sides) if all(isinstance(side, int) and side > 0 for side in sides) else None


def license_from_url(url: str) -> License:
    """The licence that a page or an API names by its address.

    Creative Commons addresses give their id, all others `unknown` and the address.
    """
    return License(_creative_commons(url) or "unknown", url=url)


def creative_commons_id(code: str, version: str | None = None) -> str:
    """The id of a Creative Commons licence (`by-nc`, `2.0`), of `cc0` or of the public domain mark (`pdm`).

    Retired ones (`sampling+`) have no SPDX id and keep their own name.
    """
    code = code.strip().lower().replace("nd-nc", "nc-nd")
    name = f"cc-{code}" if code.startswith("by") else code
    # These two have one version, and many sources do not say it.
    number = (version or "").strip() or ("1.0" if name in ("cc0", "pdm") else "")
    return f"{name}-{number}" if number else name


_MEDIA_TYPES = {
    "jpg": "jpeg", "jpeg": "jpeg", "png": "png", "gif": "gif", "webp": "webp", "svg": "svg+xml", "tif": "tiff",
    "tiff": "tiff",
}


def media_type(extension: str) -> str | None:
    """The media type that a file name's extension stands for (`jpg`, `.PNG`), if it is a picture's."""
    kind = _MEDIA_TYPES.get(extension.lstrip(".").lower())
    return f"image/{kind}" if kind else None


def _creative_commons(url: str) -> str | None:
    place = re.sub(r"^.*?://", "", url.lower()).removeprefix("www.")
    host, *path = re.split(r"[/?#]+", place)
    kind, code, version = (*path, "", "", "")[:3]
    if host != "creativecommons.org":
        return None
    # `/licenses/by/deed.de` names no version.
    version = version if version[:1].isdigit() else None
    if kind == "publicdomain" and code in ("zero", "mark"):
        return creative_commons_id("cc0" if code == "zero" else "pdm", version)
    return creative_commons_id(code, version) if kind == "licenses" and code.startswith("by") else None
