"""What a provider may know of a lead before it accepts: everything a quote needs, nobody's name.

Pure. Where a word might identify the business it is covered: a brief that is covered once too often
costs a question, one that is covered too seldom costs the business its say over its own data.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

COVER = "\u2588\u2588\u2588"

_EMAIL = re.compile(
    r"[\w.+\-]+\s*(?:@|\(at\)|\[at\])\s*[\w\-]+(?:\s*(?:\.|\(dot\)|\[dot\])\s*[\w\-]+)+", re.I
)
_WEB = re.compile(r"(?:https?://|www\.)\S+|\b[\w\-]+(?:\.[\w\-]+)*\.[a-z]{2,24}\b(?:/\S*)?", re.I)
_NUMBER = re.compile(r"\+?\d[\d\s().\-/]{5,}\d")
_WORD = re.compile(r"\w+")

_COMMON_WORDS = (
    "and the for of our your with from at in on to by an as is it we us co pty ltd limited inc llc "
    "plc gmbh ag sa bv group holdings company australia iso certification consulting quality "
    "management system systems standard standards services service"
)
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Identity:
    """What identifies a business and its people."""

    company_name: str
    contact_name: str
    contact_email: str
    contact_phone: str | None = None
    website: str | None = None
    registration_number: str | None = None
    others: tuple[str, ...] = ()
    """Names of others that would give it away, such as its consultants."""


def mask_text(text: str, identity: Identity) -> str:
    """Return `text` with everything covered that could say whose it is."""
    # Compatibility forms are folded, and invisible characters dropped, so that nobody hides a
    # name in full-width letters or between zero-width joiners.
    folded = unicodedata.normalize("NFKC", text)
    shown = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
    for pattern in (_EMAIL, _WEB, _NUMBER):
        shown = pattern.sub(COVER, shown)
    for name in sorted(_phrases(identity), key=len, reverse=True):
        shown = re.sub(rf"(?<!\w){_loosely(name)}(?!\w)", COVER, shown, flags=re.I)
    words = _words(identity)
    return _WORD.sub(lambda m: COVER if _plain(m.group()) in words else m.group(), shown)


def _phrases(identity: Identity) -> set[str]:
    names = (identity.company_name, identity.contact_name, *identity.others)
    numbers = (identity.registration_number, identity.contact_phone)
    return {name for name in (*names, *numbers) if name and len(name) >= 2}


def _words(identity: Identity) -> set[str]:
    """Return every single word that would give the business or its people away."""
    sources: Iterable[str | None] = (
        identity.company_name,
        identity.contact_name,
        identity.contact_email,
        identity.website,
        *identity.others,
    )
    found = {
        _plain(word)
        for source in sources
        for word in _WORD.findall(unicodedata.normalize("NFKC", source or ""))
    }
    tlds = {"com", "org", "net", "http", "https", "www", "example"}
    return {w for w in found if len(w) >= 2 and w not in _COMMON and w not in tlds}


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _loosely(name: str) -> str:
    """Return a pattern for the name with any spacing and punctuation between its parts."""
    parts = _WORD.findall(unicodedata.normalize("NFKC", name))
    return r"[\W_]*".join(re.escape(part) for part in parts)


def masked_brief(lead: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """Return the brief of a lead without anything that identifies the business."""
    names = (
        "reference", "service", "standards", "editions", "country", "regions", "headcount", "sites",
        "sector", "certification_status", "timeframe", "needed_by", "remote_ok",
    )  # fmt: skip
    brief = {name: lead[name] for name in names}
    notes = lead["notes"]
    brief["notes"] = None if notes is None else mask_text(notes, identity)
    return brief
