"""Checks of our own for `make fuzz-api`, beside those that schemathesis has."""

import re

import schemathesis

# Places in bodies where it depends on what is installed, what there is and what else was asked, or on a sum.
OPEN = re.compile(
    r"(/sources|/options|/labels|/urls|/rules/licenses|/rules/formats)(/.*)?|/keywords|/text|/dataset_id|/project_id"
    r"|/avatar_url|/expires_at|/url|/host|/split",
    # Names of fields may have lines.
    re.DOTALL,
)
# What is said of such places elsewhere, where other rules are said in the document.
ALSO_OPEN = ("takes ", "is neither a search engine nor a source")


@schemathesis.check
def refused_for_what_no_document_can_say(ctx, response, case):
    """What fits the document is accepted, or refused for something that depends on more than the request."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 413, 415, 422):
        return
    problem = response.json()
    if problem["code"] == "idempotency-key-reused":
        return
    rules = [
        rule
        for rule in problem["errors"]
        if not OPEN.fullmatch(rule["pointer"]) and not rule["detail"].startswith(ALSO_OPEN)
    ]
    # Whose address it is, and two parameters that say the same.
    parameters = re.search(r"`confirm` must be|must not be given with", problem["detail"])
    assert problem["errors"] and not rules or parameters, f"fits the document and is refused: {problem['detail']}"
