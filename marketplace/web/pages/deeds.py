"""What happened, as an administrator reads it: a sentence for every event and message."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from marketplace.core.actors import Kind
from marketplace.insights.history import Happened
from marketplace.web.pages.words import say


@dataclass(frozen=True)
class Deed:
    """One entry of a line of time."""

    at: datetime
    what: str
    more: str
    who: str
    url: str | None


def deeds(entries: Sequence[Happened]) -> list[Deed]:
    """Return these in words, in their order."""
    said = sentences()
    return [_deed(each, said) for each in entries]


def _deed(happened: Happened, said: Mapping[str, str]) -> Deed:
    words: dict[str, Any] = defaultdict(str, {**happened.facts, **happened.about})
    if happened.verb == "message":
        words["template"] = words["template"].replace("_", " ")
        words["to"] = words["to"] or _("somebody who is forgotten")
        words["state"] = say(words["state"], "message")
    sentence = said.get(happened.verb)
    if sentence is None:
        what, more = happened.verb.replace(".", ": ").replace("_", " "), _facts(happened)
    else:
        what, more = sentence % words, _more(happened)
    if happened.lead_id is not None:
        url = url_for("lead_desk.one", lead_id=happened.lead_id)
        what = f"{happened.about['reference']}: {what}"
    elif happened.provider_id is not None:
        url = url_for("provider_desk.one", provider_id=happened.provider_id)
        what = f"{happened.about['provider']}: {what}"
    else:
        url, what = None, f"{what[:1].upper()}{what[1:]}"
    return Deed(happened.at, what, more, _who(happened), url)


def _who(happened: Happened) -> str:
    if happened.verb == "message":
        return str(_("the system"))
    who: str = {
        Kind.ADMIN: _("an administrator"),
        Kind.PROVIDER: _("the provider"),
        Kind.API_KEY: _("the provider's software"),
        Kind.BUSINESS: _("the business, by its link"),
        Kind.ANYBODY: _("somebody who is not signed in"),
        Kind.OPERATOR: _("an operator at the command line"),
        Kind.SYSTEM: _("the system"),
    }[Kind(happened.actor_kind)]
    if happened.actor:
        who = f"{happened.actor}, {who}"
    if happened.address:
        return str(_("%(who)s, from %(address)s", who=who, address=happened.address))
    return who


def _more(happened: Happened) -> str:
    facts = happened.facts
    if happened.verb == "invitation.declined" and facts.get("reason"):
        return say(facts["reason"], "decline")
    if happened.verb == "message" and facts["error"]:
        return str(facts["error"])
    if happened.verb == "provider.changed":
        return ", ".join(str(each).replace("_", " ") for each in facts.get("fields", ()))
    if happened.verb == "accreditation.checked":
        return say(facts.get("result", ""), "check")
    return ""


def _facts(happened: Happened) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in happened.facts.items())


def sentences() -> Mapping[str, str]:
    """What each verb says; what it was about stands before it, or in it."""
    return {
        "message": _("mail “%(template)s” to %(to)s: %(state)s"),
        "lead.submitted": _("The form was sent"),
        "lead.confirmed": _("The e-mail address was confirmed"),
        "lead.queued_for_review": _("It was queued for review"),
        "lead.opened": _("It was opened, and its clock began to run"),
        "lead.rejected": _("It was turned away"),
        "lead.superseded": _("It was set aside: the business had another running"),
        "lead.lapsed": _("It lapsed: nobody confirmed it in time"),
        "lead.awarded": _("A provider was chosen"),
        "lead.closed": _("It was closed without a choice"),
        "lead.expired": _("It expired"),
        "lead.erased": _("What identified people was erased"),
        "lead.rematch_asked": _("Providers were to be looked for again"),
        "lead.waits_for_a_provider": _("Places stayed empty: %(places)s"),
        "lead.reported_not_ours": _("Somebody of the business said that it is not theirs"),
        "lead.link_asked": _("The link to its page was asked for again"),
        "lead.consultant_decided": _("It was decided which provider an adviser is"),
        "lead.consultants_doubted": _("Advisers that may be providers were found"),
        "commitment.at_risk": _("The 24-hour commitment was at risk"),
        "commitment.met": _("The 24-hour commitment was met"),
        "commitment.missed": _("The 24-hour commitment was missed"),
        "commitment.ended": _("The 24-hour commitment ended with the request"),
        "invitation.sent": _("invited into place %(place)s"),
        "invitation.opened": _("opened the invitation"),
        "invitation.accepted": _("accepted, and saw the contact"),
        "invitation.declined": _("declined"),
        "invitation.reminded": _("was reminded"),
        "invitation.released": _("did not open it in time: the place was passed on"),
        "invitation.returned": _("came back while a place was free"),
        "invitation.expired": _("did not quote in time"),
        "invitation.withdrawn": _("invitation withdrawn"),
        "invitation.passed_on": _("the business asked for another in its place"),
        "invitation.won": _("chosen"),
        "invitation.lost": _("not chosen"),
        "invitation.turn_given_back": _("the turn was given back"),
        "quote.submitted": _("quoted, version %(version)s"),
        "question.asked": _("asked a question"),
        "question.answered": _("the question was answered for all"),
        "review.given": _("was reviewed by the business"),
        "miss.recorded": _("a miss went on the record"),
        "miss.objected": _("objected to the miss"),
        "miss.struck": _("the miss was struck"),
        "miss.upheld": _("the miss was let stand"),
        "provider.applied": _("Asked to join"),
        "provider.applied_again": _("Asked to join again"),
        "provider.created": _("Was written down by an administrator"),
        "provider.approved": _("Was verified"),
        "provider.rejected": _("Was turned away"),
        "provider.suspended": _("Was suspended"),
        "provider.reinstated": _("Was reinstated"),
        "provider.changed": _("The profile was changed"),
        "provider.paused": _("Leave was planned"),
        "provider.paused_for_misses": _("Was paused for repeated misses"),
        "provider.pause_ended": _("A pause ended"),
        "provider.related": _("Was related to another provider"),
        "provider.member_invited": _("A colleague was invited"),
        "provider.member_invited_again": _("A colleague was written to again"),
        "provider.member_invitation_withdrawn": _("An invitation of a colleague was taken back"),
        "provider.member_joined": _("A colleague joined"),
        "provider.member_removed": _("A colleague was removed"),
        "accreditation.claimed": _("%(standard)s, %(number)s: stated"),
        "accreditation.changed": _("%(standard)s, %(number)s: changed"),
        "accreditation.checked": _("%(standard)s, %(number)s: looked up in the register"),
        "accreditation.suspended": _("%(standard)s, %(number)s: suspended"),
        "accreditation.reinstated": _("%(standard)s, %(number)s: reinstated"),
        "accreditation.expiry_told": _("%(standard)s, %(number)s: told that it ends"),
        "api_key.made": _("A key for software was made: %(key)s"),
        "api_key.revoked": _("A key for software was revoked: %(key)s"),
        "user.created": _("%(person)s can sign in"),
        "user.let_in_again": _("%(person)s can sign in again"),
        "user.signed_in": _("%(person)s signed in"),
        "user.signed_out": _("%(person)s signed out"),
        "user.password_set": _("%(person)s set a password"),
        "user.password_reset_asked": _("A link to set a password was asked for: %(person)s"),
        "webhook.made": _("A webhook was set up"),
        "webhook.changed": _("The webhook was changed"),
        "webhook.deleted": _("The webhook was deleted"),
        "webhook.switched_off": _("The webhook was switched off"),
        "webhook.tried": _("The webhook was tried"),
    }
