"""Standards by what they are about, for people who know what they need and not its number."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _

from marketplace.catalogue.models import Standard

Said = Any
"""A text in the language of whoever reads the page."""


@dataclass(frozen=True)
class Plain:
    """A standard in plain words."""

    name: Said
    about: Said
    words: Said
    """What else people call it, or look for it by."""


COMMON = {
    "ISO 9001": Plain(
        _("Quality"),
        _("What you deliver meets what was agreed, every time"),
        _("qms quality management system customers complaints tender prequalification"),
    ),
    "ISO 14001": Plain(
        _("Environment"),
        _("Waste, energy and emissions under control"),
        _("ems environmental management system sustainability green pollution tender"),
    ),
    "ISO 45001": Plain(
        _("Safety at work"),
        _("People go home unharmed"),
        _("ohs ohsms whs hse occupational health and safety injury workplace tender"),
    ),
    "ISO/IEC 27001": Plain(
        _("Information security"),
        _("Data is safe from loss and misuse"),
        _("isms cyber security data protection it software cloud hackers tender"),
    ),
    "ISO 22000": Plain(
        _("Food safety"),
        _("Safe at every step, from supplier to plate"),
        _("fsms hygiene kitchen catering restaurant packaging"),
    ),
    "ISO 13485": Plain(
        _("Medical devices"),
        _("Quality for those who make or supply them"),
        _("mdqms health hospital instruments quality"),
    ),
    "ISO 50001": Plain(
        _("Energy"),
        _("Use less of it, and show that you do"),
        _("enms electricity gas fuel efficiency carbon"),
    ),
    "ISO 22301": Plain(
        _("Business continuity"),
        _("Keep going when something fails"),
        _("bcms risk disaster recovery crisis emergency resilience"),
    ),
}
"""What most people ask for; the rest goes by the catalogue's title."""

_INDUSTRY = _("Quality in one industry")
_FOOD = _("Food")
_DATA = _("Information technology and privacy")
_SAFETY = _("Environment, energy and safety")
_RUNNING = _("Running an organisation")

_OTHERS = {
    "IATF 16949": (_INDUSTRY, _("cars vehicles trucks parts suppliers")),
    "AS9100": (_INDUSTRY, _("aviation aircraft space defence")),
    "AS9120": (_INDUSTRY, _("aviation aircraft space defence stockists")),
    "ISO 21001": (_INDUSTRY, _("schools training universities learning")),
    "FSSC 22000": (_FOOD, _("manufacturing packaging hygiene")),
    "HACCP": (_FOOD, _("food safety hygiene kitchen catering restaurant")),
    "BRCGS Food Safety": (_FOOD, _("brc supermarket retail export")),
    "SQF": (_FOOD, _("supermarket retail export")),
    "ISO/IEC 27701": (_DATA, _("personal data protection gdpr")),
    "ISO/IEC 42001": (_DATA, _("ai machine learning algorithms")),
    "ISO/IEC 20000-1": (_DATA, _("information technology help desk support")),
    "ISO 39001": (_SAFETY, _("drivers fleet transport trucks")),
    "ISO 46001": (_SAFETY, _("environment saving")),
    "ISO 20121": (_SAFETY, _("environment festivals conferences exhibitions")),
    "ISO 37001": (_RUNNING, _("corruption fraud")),
    "ISO 37301": (_RUNNING, _("law legal obligations governance")),
    "ISO 55001": (_RUNNING, _("infrastructure maintenance equipment")),
    "ISO 41001": (_RUNNING, _("buildings cleaning maintenance")),
    "ISO 28000": (_RUNNING, _("logistics freight ports theft")),
    "ISO 18788": (_RUNNING, _("guards patrol")),
    "ISO 44001": (_RUNNING, _("partnership alliance suppliers")),
    "ISO 30301": (_RUNNING, _("documents archive")),
    "ISO 56001": (_RUNNING, _("research development ideas")),
    "ISO/IEC 17025": ("", _("lab calibration testing nata")),
    "ISO 15189": ("", _("lab pathology nata")),
    "ISO 31000": ("", _("risks")),
    "ISO 26000": ("", _("csr ethics sustainability")),
    "ISO 14064-1": ("", _("carbon footprint emissions climate environment")),
    "SOC 2": ("", _("information security report data cloud")),
    "AS/NZS 4801": ("", _("occupational health and safety at work ohs whs tender")),
    "OHSAS 18001": ("", _("occupational health and safety at work ohs whs tender")),
}  # fmt: skip
"""By code: the subject that it is listed under, and what people look for it by."""

_REST = _("Others")


def by_subject(standards: Iterable[Standard]) -> dict[Said, list[Standard]]:
    """Return standards by what they are about; what the catalogue gained since comes last."""
    subjects = (_INDUSTRY, _FOOD, _DATA, _SAFETY, _RUNNING, _REST)
    found: dict[Said, list[Standard]] = {str(subject): [] for subject in subjects}
    for each in standards:
        subject, _words = _OTHERS.get(each.code, (_REST, ""))
        found[str(subject)].append(each)
    return {subject: listed for subject, listed in found.items() if listed}


def words_for(standard: Standard) -> str:
    """Return what else a standard may be looked for by, its abbreviation among it."""
    plain = COMMON.get(standard.code)
    words = plain.words if plain else _OTHERS.get(standard.code, ("", ""))[1]
    return f"{standard.abbreviation} {words}".strip()
