"""What a provider takes on, between its form and the schema: ticks, names and codes."""

from collections.abc import Iterable

from werkzeug.datastructures import MultiDict

from marketplace.core.errors import FieldError
from marketplace.core.texts import N_, Told
from marketplace.web.auth import current_context
from marketplace.web.pages.choices import choices, language_codes, names, region_codes
from marketplace.web.pages.forms import Sent, Typed
from marketplace.web.pages.words import language

REGION_FIELDS = ("coverage.near", "coverage.others")
"""Where regions are ticked, and where they are written."""

WRITTEN = {
    "regions": N_(
        "“%(typed)s” is not a region that we know: please write a name or an ISO code, such as "
        "NZ-AUK"
    ),
    "languages": N_(
        "“%(typed)s” is not a language that we know: please write a name or an ISO code, such as "
        "German or de"
    ),
}
"""Lists of which a person writes entries by name, and what is said of one that is unknown."""

NEEDED = {
    "standards": N_("Choose at least one standard"),
    "regions": N_("Choose at least one region"),
}
"""Lists that must not be empty, and what is said of one that is."""

SHOWN_AT_MOST = 60
"""Characters of an entry that are said again: the field has all of it."""


def typed_coverage(regions: Iterable[str], languages: Iterable[str]) -> Typed:
    """Return regions and languages, given by their codes, as somebody would have entered them."""
    ctx = current_context()
    near = {"AU", *(each.code for each in choices(ctx).states)}
    wanted = list(regions)
    called = names(ctx, regions=[code for code in wanted if code not in near])
    return {
        "coverage.near": [code for code in wanted if code in near],
        "coverage.others": [
            f"{called.get(code, code)} ({code})" for code in wanted if code not in near
        ],
        "coverage.languages": [language(code) for code in languages],
    }


def read_coverage(sent: Sent, posted: MultiDict[str, str]) -> None:
    """Fill in regions and languages, each by its code where it has one."""
    covered = sent.data.setdefault("coverage", {})
    with current_context().reading() as session:
        covered["regions"] = region_codes(
            session, [entry for name in REGION_FIELDS for entry in posted.getlist(name)]
        )
    sent.typed.update({name: posted.getlist(name) for name in REGION_FIELDS})
    if "coverage.languages" in posted:
        covered["languages"] = language_codes(posted.getlist("coverage.languages"))


def by_name(error: FieldError, sent: Sent) -> FieldError:
    """Return what is wrong with a written entry by what was typed: all of them share a field.

    Of a list in which nothing is chosen it says to choose.
    """
    for name, choose in NEEDED.items():
        if error.pointer == f"/coverage/{name}" and not sent.data["coverage"].get(name):
            return FieldError(error.pointer, choose)
    for name, unknown in WRITTEN.items():
        index = error.pointer.removeprefix(f"/coverage/{name}/")
        if index != error.pointer:
            text = sent.data["coverage"][name][int(index)]
            said = Told(unknown, typed=text[:SHOWN_AT_MOST])
            return FieldError(f"/coverage/{name}", said)
    return error
