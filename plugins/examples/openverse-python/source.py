"""Openly licensed pictures from Openverse: the twin of `plugins/openverse`, in Python."""

import re

from pixcrawler import (
    Candidate, Credential, Found, Info, InvalidQuery, LayoutChanged, License, OAuth2, Option, Paged, RateLimited,
    Response, api, count, creative_commons_id, dimensions, each, expect_none, get, media_type,
    need,
)

HOST = "api.openverse.org"
# In characters; the API cuts silently what is longer.
LONGEST_QUERY = 200
# Results on a page. Without a credential the API refuses more than 20, and gives 240 for one search.
PAGE, LARGEST_PAGE, ANONYMOUS_DEPTH = 20, 50, 240


def choices(name, label, help, choices):
    return Option(name, label, help, kind="choices", choices=choices)


FILTERS = [
    choices("license", "Licences", "Only pictures under one of these; all of them by default.", [
        ("by", "CC BY"), ("by-sa", "CC BY-SA"), ("by-nd", "CC BY-ND"), ("by-nc", "CC BY-NC"),
        ("by-nc-sa", "CC BY-NC-SA"), ("by-nc-nd", "CC BY-NC-ND"), ("cc0", "CC0"), ("pdm", "Public Domain Mark"),
    ]),
    choices("license_type", "Use", "Only pictures whose licence allows all of these.", [
        ("commercial", "Commercial use"), ("modification", "Modification"),
    ]),
    Option("source", "Collections", "Only from these, separated by commas, for example `flickr,wikimedia`."),
    choices("extension", "File types", "Only files of these types.", [
        ("jpg", "JPEG (.jpg)"), ("jpeg", "JPEG (.jpeg)"), ("png", "PNG"), ("gif", "GIF"), ("webp", "WebP"),
    ]),
    choices("aspect_ratio", "Shape", "Only pictures of these shapes.", [
        ("tall", "Tall"), ("wide", "Wide"), ("square", "Square"),
    ]),
    choices("size", "Size", "Only pictures of these sizes.", [
        ("small", "Small"), ("medium", "Medium"), ("large", "Large"),
    ]),
    choices("category", "Kind", "Only pictures of these kinds; many pictures have none.", [
        ("photograph", "Photograph"), ("illustration", "Illustration"), ("digitized_artwork", "Digitized artwork"),
    ]),
]


class Source(Paged):
    info = Info(
        id="openverse",
        name="Openverse",
        version="0.1.0",
        description="Openly licensed and public domain pictures from Flickr, Wikimedia Commons, museums and "
        "others, with licence and creator.",
        homepage="https://openverse.org/",
        terms_url="https://docs.openverse.org/terms_of_service.html",
        hosts=[api(HOST)],
        options=FILTERS,
        credentials=[
            Credential(
                "api",
                "Client id and secret as `id:secret`, from https://api.openverse.org/v1/#tag/auth. "
                "Lifts the limits of 240 results for a search and 200 requests a day.",
                OAuth2(f"https://{HOST}/v1/auth_tokens/token/"),
                hosts=[HOST],
            )
        ],
        requests_per_minute=20,
    )

    def page(self, query, number):
        largest = LARGEST_PAGE if query.has_credential("api") else PAGE
        parameters = {
            "q": query.text.strip()[:LONGEST_QUERY],
            "page": number,
            "page_size": min(max(query.limit, PAGE), largest),
            "mature": None if query.safe_search else True,
            **{option.name: query.option(option.name) for option in FILTERS},
        }
        return get(f"https://{HOST}/v1/images/", parameters, credential="api")

    def read(self, query, number, answer):
        anonymous = not query.has_credential("api")
        if isinstance(answer.outcome, Response) and ended(answer.outcome, number, anonymous):
            return Found(warnings=[depth_reached(detail(answer.outcome))]), False
        page = answer.response().json("results", "page_count")
        more = number < count(page, "page_count") and bool(page["results"])
        results = whole(page.get("result_count"))
        if number == 1 and not page["results"]:
            expect_none(max(results, count(page, "page_count")), "results")
        expect_field(page["results"], "license")
        found = each(page["results"], picture)
        if number == 1 and len(query.text.strip()) > LONGEST_QUERY:
            found.warnings.append(f"Openverse searches for the first {LONGEST_QUERY} characters only")
        if not more and anonymous and min(number * PAGE, results) >= ANONYMOUS_DEPTH:
            found.warnings.append(depth_reached(""))
        return found, more


def picture(image):
    """Anything but the address may be missing, null or something else, and costs nothing but itself."""
    extra = [(name, text(image.get(name))) for name in ("provider", "source", "category")]
    return Candidate(
        need(image, "url"),
        id=text(image.get("id")),
        page_url=text(image.get("foreign_landing_url")),
        thumbnail_url=text(image.get("thumbnail")),
        title=text(image.get("title")),
        creator=text(image.get("creator")),
        creator_url=text(image.get("creator_url")),
        license=terms(image),
        dimensions=dimensions(image.get("width"), image.get("height")),
        mime=media_type(text(image.get("filetype")) or ""),
        byte_size=whole(image.get("filesize")) or None,
        tags=tags(image.get("tags")),
        extra=[(f"openverse.{name}", value) for name, value in extra if value is not None],
    )


def text(value):
    return value if isinstance(value, str) else None


def whole(value):
    """A whole number, or a text of one; 0 for everything else."""
    if isinstance(value, str) and len(value) < 40 and re.fullmatch(r"[0-9]+(\.0+)?", value):
        value = int(value.partition(".")[0])
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < 1 << 53 else 0


def tags(values):
    names = [text(tag.get("name")) for tag in values if isinstance(tag, dict)] if isinstance(values, list) else []
    return [name for name in names if name is not None]


def expect_field(results, name):
    """That a result lacks it is its own affair; where all do, the site has changed."""
    objects = [result for result in results if isinstance(result, dict)]
    if objects and not any(name in result for result in objects):
        raise LayoutChanged(f"no result has the field `{name}`")


def terms(image):
    """The licence with its address and a line to print, which older answers leave out."""
    names = ("license", "license_version", "license_url", "attribution", "title", "creator")
    code, version, given, attribution, title, creator = (text(image.get(name)) for name in names)
    if code is None:
        return License("unknown")
    code, number = code.lower(), version or "1.0"
    if code in ("cc0", "pdm"):
        name, kind = ("CC0", "zero") if code == "cc0" else ("Public Domain Mark", "mark")
        name, path, verb = f"{name} {number}", f"publicdomain/{kind}/{number}/", "marked with"
    else:
        name, verb = f"CC {code.upper()} {version or ''}".rstrip(), "licensed under"
        path = f"licenses/{code}/{version}/" if version else None
    work = "This work" if title is None else f'"{title}"'
    by = "" if creator is None else f" by {creator}"
    id = creative_commons_id(code, version)
    url = f"https://creativecommons.org/{path}" if path and id != "unknown" else None
    return License(id, url=known(given, url), attribution=known(attribution, f"{work}{by} is {verb} {name}."))


def known(value, otherwise):
    return otherwise if value is None else value


def ended(response, number, anonymous):
    """Statuses that mean something special here.

    The end of what an anonymous search may see, a filter that the API does not know, and a
    time to wait that is said only in words.
    """
    status = response.status
    if number > 1 and (status in (400, 403, 404) or (status == 401 and anonymous)):
        return True
    if status == 400:
        raise InvalidQuery(f"Openverse refuses the search: {detail(response)}")
    if status == 429 and response.header("retry-after") is None:
        seconds = re.search("([0-9]+) second", detail(response))
        raise RateLimited(int(seconds[1]) if seconds else None)
    return False


def depth_reached(detail):
    detail = f" ({detail})" if detail else ""
    return f"Openverse gives no more results for this search{detail}; without a credential it gives {ANONYMOUS_DEPTH}"


def detail(response):
    """What an error says: the text under `detail`, or all of it."""
    said = response.text
    try:
        found = response.json("detail")["detail"]
        said = found if isinstance(found, str) else said
    except LayoutChanged:
        pass  # No JSON: its own words.
    return " ".join(said.split())[:200]
