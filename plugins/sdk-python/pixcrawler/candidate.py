"""What a source offers: pictures and their licences."""

import re
from dataclasses import dataclass, field, replace

from .errors import LayoutChanged
from .text import meant

Pairs = list[tuple[str, str]]
"""Ordered names and values; a name may occur more than once."""


class _Fields:
    """A field that does not exist is the author's doing, unlike a value of a wrong type."""

    __slots__ = ()

    def __new__(cls, *_: object, **fields: object):
        for name in fields.keys() - cls.__dataclass_fields__.keys():
            raise NameError(f"{cls.__name__} has no field `{name}`; {meant(name, cls.__dataclass_fields__)}")
        return object.__new__(cls)


@dataclass(slots=True)
class License(_Fields):
    """Under which terms a picture is offered."""

    id: str
    """Lower-case SPDX where there is one, else `pdm-1.0`, `all-rights-reserved` or `unknown`."""
    url: str | None = None
    attribution: str | None = None
    """The line to print beside the picture."""


@dataclass(slots=True)
class Dimensions(_Fields):
    """In pixels, as the source declares them."""

    width: int
    height: int


@dataclass(slots=True)
class Checksum(_Fields):
    """What the source says about the bytes."""

    digest: str
    """`md5`, `sha1` or `sha256`."""
    hex: str


@dataclass(slots=True)
class Candidate(_Fields):
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
    """What has no field, under `<plugin-id>.<name>`; also the classes, see `with_labels`."""

    def __post_init__(self) -> None:
        """A value of a wrong type is the site's doing; the host could only refuse the step."""
        if not (isinstance(self.url, str) and re.match("https?://", self.url, re.ASCII | re.IGNORECASE)):
            raise LayoutChanged(f"not the address of a picture: {shown(self.url)}")
        for name, fits in _FIELDS.items():
            if not fits(getattr(self, name)):
                raise LayoutChanged(f"`{name}` cannot be {shown(getattr(self, name))}")

    def with_labels(self, labels: list[str]) -> "Candidate":
        """The picture in these classes, the foremost first.

        That is its folder in the dataset, unless the user gave another to the whole input. For sources that
        know classes; words for what it shows are `tags`.
        """
        if not _texts(labels):
            raise LayoutChanged(f"`labels` cannot be {shown(labels)}")
        return replace(self, extra=[*self.extra, *(("label", label) for label in labels)])


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _pairs(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and _texts([*pair]) for pair in value
    )


COUNT_BITS = 53
"""Integers up to here are exact in every language; no count comes near."""


def unsigned(value: object, bits: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits


def _license(value: object) -> bool:
    return value is None or (
        isinstance(value, License) and isinstance(value.id, str) and _text(value.url) and _text(value.attribution)
    )


def _dimensions(value: object) -> bool:
    return value is None or (
        isinstance(value, Dimensions) and unsigned(value.width, 32) and unsigned(value.height, 32)
    )


def _checksum(value: object) -> bool:
    return value is None or (
        isinstance(value, Checksum) and value.digest in ("md5", "sha1", "sha256") and isinstance(value.hex, str)
    )


# The fields of a candidate but for its address.
_FIELDS = {
    "alternates": _texts, "id": _text, "page_url": _text, "thumbnail_url": _text, "title": _text, "description": _text,
    "creator": _text, "creator_url": _text, "license": _license, "published": _text, "dimensions": _dimensions,
    "mime": _text, "byte_size": lambda value: value is None or unsigned(value, COUNT_BITS), "checksum": _checksum,
    "tags": _texts, "headers": _pairs, "credential": _text, "extra": _pairs,
}


def shown(value: object) -> str:
    return repr(value)[:100]


def dimensions(width: object, height: object) -> Dimensions | None:
    """Width and height, as numbers or texts of them, if both are known and neither is 0.

    What can be no size is not known.
    """
    sides = [_side(width), _side(height)]
    return Dimensions(*sides) if all(sides) else None


def _side(value: object) -> int:
    if isinstance(value, str):
        # As a float, for what has thousands of digits.
        value = float(value) if re.fullmatch("[0-9]+([.]0+)?", value) else 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if unsigned(value, 32) else 0


def license_from_url(url: str) -> License:
    """The licence that a page or an API names by its address.

    Creative Commons addresses give their id, all others `unknown` and the address.
    """
    return License(_creative_commons(url) or "unknown", url=url)


_LICENSES = ("by", "by-nc", "by-nc-nd", "by-nc-sa", "by-nd", "by-sa")
_VERSIONS = ("1.0", "2.0", "2.1", "2.5", "3.0", "4.0")


def creative_commons_id(code: str, version: str | None = None) -> str:
    """The id of a Creative Commons licence (`by-nc`, `2.0`), of `cc0` or of the public domain mark (`pdm`).

    `unknown` for everything else, retired ones (`sampling+`) and versions that there are not
    among them: no part of a licence is left out.
    """
    if not (isinstance(code, str) and _text(version)):
        raise LayoutChanged(f"a licence cannot be {shown([code, version])}")
    code = code.strip().lower().replace("nd-nc", "nc-nd")
    number = (version or "").strip()
    if code in ("cc0", "pdm"):
        # These two have one version, and many sources do not say it.
        return f"{code}-1.0" if number in ("", "1.0") else "unknown"
    if code not in _LICENSES or (number and number not in _VERSIONS):
        return "unknown"
    return f"cc-{code}-{number}" if number else f"cc-{code}"


_MEDIA_TYPES = {
    "jpg": "jpeg", "jpeg": "jpeg", "png": "png", "gif": "gif", "webp": "webp", "svg": "svg+xml", "tif": "tiff",
    "tiff": "tiff",
}


def media_type(extension: str) -> str | None:
    """The media type that a file name's extension stands for (`jpg`, `.PNG`), if it is a picture's."""
    kind = _MEDIA_TYPES.get(extension.lstrip(".").lower())
    return f"image/{kind}" if kind else None


# Words behind the address may say anything: it is read only to a query, and whole.
_CREATIVE_COMMONS = re.compile(r"(?:https?://)?(?:www\.)?creativecommons\.org/([a-z0-9/._-]*)(?:[?#]|\Z)")


def _creative_commons(url: str) -> str | None:
    found = _CREATIVE_COMMONS.match(url.strip().lower())
    path = found[1] if found else ""
    kind, code, version = (*filter(None, path.split("/")), "", "", "")[:3]
    # `/licenses/by/deed.de` names no version.
    version = version if version[:1].isdigit() else None
    if kind == "publicdomain" and code in ("zero", "mark"):
        return creative_commons_id("cc0" if code == "zero" else "pdm", version)
    return creative_commons_id(code, version) if kind == "licenses" and code.startswith("by") else None
