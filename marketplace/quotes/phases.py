"""The usual phases of a consultant's work, so that quotes with other names can be compared.

A consultant says which of them a phase of its quote covers; where it does not say, the words of the
phase are looked through, and what they suggest is shown as a suggestion.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from marketplace.core.texts import N_


class Work(StrEnum):
    """What a consultant does between the first look and the certificate, in its usual order."""

    GAP_ANALYSIS = "gap_analysis"
    PLAN = "plan"
    CONTEXT = "context"
    RISKS = "risks"
    DOCUMENTATION = "documentation"
    IMPLEMENTATION = "implementation"
    TRAINING = "training"
    INTERNAL_AUDIT = "internal_audit"
    MANAGEMENT_REVIEW = "management_review"
    CERTIFIER = "certifier"
    AT_THE_AUDIT = "at_the_audit"
    AFTER_THE_AUDIT = "after_the_audit"
    UPKEEP = "upkeep"


LABELS = {
    Work.GAP_ANALYSIS: N_("Gap analysis"),
    Work.PLAN: N_("Project plan"),
    Work.CONTEXT: N_("Context, scope and policy"),
    Work.RISKS: N_("Risks, aspects or hazards"),
    Work.DOCUMENTATION: N_("Documentation"),
    Work.IMPLEMENTATION: N_("Support in putting it into practice"),
    Work.TRAINING: N_("Training"),
    Work.INTERNAL_AUDIT: N_("Internal audit"),
    Work.MANAGEMENT_REVIEW: N_("Management review"),
    Work.CERTIFIER: N_("Help in choosing a certification body"),
    Work.AT_THE_AUDIT: N_("At your side in the certification audit"),
    Work.AFTER_THE_AUDIT: N_("Corrective action after the audit"),
    Work.UPKEEP: N_("Upkeep after certification"),
}

_WORDS = {
    Work.GAP_ANALYSIS: r"\bgap\b|\bbaseline\b|\binitial (?:review|assessment)\b",
    Work.PLAN: r"\b(?:project|implementation|action) plan|\bplanning\b|\bkick[- ]?off\b",
    Work.CONTEXT: r"\bcontext\b|\bscop(?:e|ing)\b|\bpolic(?:y|ies)\b|\binterested parties\b",
    Work.RISKS: r"\brisks?\b|\baspects?\b|\bhazards?\b|\bstatement of applicability\b",
    Work.DOCUMENTATION: r"\bdocument(?:s|ation|ed)?\b|\bprocedures?\b|\bmanuals?\b|\btemplates?\b",
    Work.IMPLEMENTATION: r"\bimplement(?:ation|ing)?\b(?! plan)|\broll[- ]?out\b|\bcoaching\b",
    Work.TRAINING: r"\btrain(?:ing|ings)\b|\bworkshops?\b|\bawareness\b",
    Work.INTERNAL_AUDIT: r"\binternal audit(?:s|ing|or|ors)?\b|\bmock audit\b|\bpre-?audit\b",
    Work.MANAGEMENT_REVIEW: r"\bmanagement reviews?\b",
    Work.CERTIFIER: r"\b(?:choosing|choice|selection|selecting) (?:of )?(?:a |the )?certif",
    Work.AT_THE_AUDIT: (
        r"\b(?:attend|attendance|support|presence)\w*\b[^.;]{0,40}"
        r"\b(?:stages?|certification audit|external audit)\b"
    ),
    Work.AFTER_THE_AUDIT: r"\bnon-?conformit(?:y|ies)\b|\bcorrective actions?\b|\bfindings\b",
    Work.UPKEEP: r"\bmaintenance\b|\bretainer\b|\bupkeep\b|\bafter certification\b",
}
"""English words that speak of a kind of work; suggestions, never facts."""

_PATTERNS = {work: re.compile(words, re.IGNORECASE) for work, words in _WORDS.items()}

_CLAUSE_ENDS = re.compile(r"([.;:,()\n]|\bbut\b)", re.IGNORECASE)
_DENIES_WHAT_FOLLOWS = re.compile(
    r"\b(?:no|not|nor|neither|without|except|exclud(?:es?|ing))\b(?!-)", re.IGNORECASE
)
_DENIES_WHAT_WENT_BEFORE = re.compile(
    r"\b(?:not (?:included|covered|offered|part)|excluded)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Covered:
    """Where a quote covers one of the usual kinds of work."""

    work: Work
    phases: tuple[str, ...]
    """Names of the phases that cover it; empty where none does."""
    is_stated: bool
    """Whether the consultant said so; otherwise its words suggest it."""


def covered(quoted: Sequence[Mapping[str, Any]]) -> list[Covered]:
    """Return all usual work in its usual order, and which phases of a quote cover it.

    A phase that says what it covers is taken at its word, and its words are not looked through.
    """
    found = []
    for work in Work:
        stated = tuple(each["name"] for each in quoted if work in (each.get("covers") or ()))
        likely = tuple(
            each["name"]
            for each in quoted
            if not each.get("covers") and _PATTERNS[work].search(_text(each))
        )
        found.append(Covered(work, stated or likely, is_stated=bool(stated)))
    return found


def _text(phase: Mapping[str, Any]) -> str:
    """Return the words of a phase, without those that say what is left out."""
    text = "; ".join([phase["name"], *(phase.get("deliverables") or ())])
    return "".join(map(_offered, _CLAUSE_ENDS.split(text)))


def _offered(clause: str) -> str:
    rest = _DENIES_WHAT_WENT_BEFORE.split(clause)[-1]
    return _DENIES_WHAT_FOLLOWS.split(rest, maxsplit=1)[0]
