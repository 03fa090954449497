"""Pictures from My source."""

from pixcrawler import Candidate, Info, Paged, api, count, dimensions, each, get, license_from_url


class Source(Paged):
    info = Info(
        id="my-source",
        name="My source",
        version="0.1.0",
        description="Photographs by My source.",
        hosts=[api("api.example.org")],
        requests_per_minute=60,
    )

    def page(self, query, number):
        return get("https://api.example.org/photos", {"q": query.text, "page": number})

    def read(self, query, number, answer):
        # Without these fields the answer is `layout-changed`.
        page = answer.response().json("photos", "pages")
        return each(page["photos"], photo), number < count(page, "pages")


def photo(item):
    """What is looked up with `[]` must be there, what with `get` may be."""
    return Candidate(
        item["file"],
        id=item.get("id"),
        page_url=item.get("page"),
        title=item.get("title"),
        creator=item.get("author"),
        license=license_from_url(item["license"]) if item.get("license") else None,
        dimensions=dimensions(item.get("width"), item.get("height")),
    )
