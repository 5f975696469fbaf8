"""What happened, as an administrator reads it: a sentence for every event and message."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from marketplace.core.actors import Kind
from marketplace.core.texts import N_
from marketplace.insights.history import Happened
from marketplace.web.languages import translate
from marketplace.web.pages.quote_labels import PROFILE
from marketplace.web.pages.words import minutes, say

SENTENCES = {
    "message": N_("mail to %(to)s, %(state)s: “%(subject)s”"),
    "lead.submitted": N_("The form was sent"),
    "lead.confirmed": N_("The e-mail address was confirmed"),
    "lead.queued_for_review": N_("It waits for an administrator to look at it"),
    "lead.opened": N_("It was opened, and its clock began to run"),
    "lead.rejected": N_("It was turned away"),
    "lead.superseded": N_("It was set aside: the business had another running"),
    "lead.lapsed": N_("It lapsed: nobody confirmed it in time"),
    "lead.awarded": N_("A provider was chosen"),
    "lead.closed": N_("It was closed without a choice"),
    "lead.expired": N_("It expired"),
    "lead.erased": N_("What identified people was erased"),
    "lead.deidentified": N_("Its time was over, and what identified people was forgotten"),
    "lead.data_exported": N_("The business had its data given to it"),
    "lead.rematch_asked": N_("Providers were to be looked for again"),
    "lead.waits_for_a_provider": N_("Too few providers were found; places left empty: %(places)s"),
    "lead.reported_not_ours": N_("Somebody of the business said that it is not theirs"),
    "lead.link_asked": N_("The link to its page was asked for again"),
    "lead.consultant_decided": N_("It was decided whether an adviser is a provider here"),
    "lead.consultants_doubted": N_("It names advisers that may be providers here"),
    "reminders.agreed": N_("Reminders of the certificate's dates were agreed to"),
    "reminders.changed": N_("The reminders of the certificate's dates were changed"),
    "reminders.moved": N_("The reminders were moved, since the catalogue has other dates"),
    "reminders.sent": N_("A reminder of the certificate's dates was sent"),
    "reminders.skipped": N_("A reminder was left out: what it was about had passed"),
    "reminders.ended": N_("The reminders ended, and what was kept for them is forgotten"),
    "commitment.at_risk": N_("The 24-hour commitment was at risk"),
    "commitment.met": N_("The 24-hour commitment was met"),
    "commitment.missed": N_("The 24-hour commitment was missed"),
    "commitment.ended": N_("The 24-hour commitment ended with the request"),
    "invitation.sent": N_("invited into place %(place)s"),
    "invitation.opened": N_("opened the invitation"),
    "invitation.read": N_("read the invitation by software"),
    "invitation.accepted": N_("accepted, and saw the contact"),
    "invitation.declined": N_("declined"),
    "invitation.reminded": N_("was reminded"),
    "invitation.released": N_("did not open the invitation in time: the place was passed on"),
    "invitation.returned": N_("came back while a place was free, and has it again"),
    "invitation.extended": N_("has more time to quote: a question was left open for long"),
    "invitation.expired": N_("did not quote in time"),
    "invitation.withdrawn": N_("the invitation was withdrawn"),
    "invitation.passed_on": N_("the business asked for another in its place"),
    "invitation.won": N_("was chosen"),
    "invitation.lost": N_("was not chosen"),
    "invitation.turn_given_back": N_("the turn was given back, as if it had not been invited"),
    "quote.submitted": N_("quoted, version %(version)s"),
    "attachment.added": N_("added a file to its quote"),
    "attachment.removed": N_("removed a file from its quote"),
    "question.asked": N_("asked a question"),
    "question.answered": N_("the question was answered for all"),
    "lead.contact_read": N_("The contact was shown for the first time that day"),
    "lead.outcome_asked": N_("The business was asked what came of it"),
    "lead.outcome_told": N_("The business said what came of it"),
    "review.given": N_("was reviewed by the business"),
    "review.reported": N_("reported the review of it"),
    "review.hidden": N_("the review of it was hidden"),
    "review.kept": N_("the review of it was let through, or let stand"),
    "review.replied": N_("replied to the review of it"),
    "review.reply_reported": N_("the business reported its reply to the review"),
    "review.reply_hidden": N_("its reply to the review was hidden"),
    "review.reply_kept": N_("its reply to the review was let through, or let stand"),
    "miss.recorded": N_("a miss went on the record"),
    "miss.objected": N_("objected to the miss"),
    "miss.struck": N_("the miss was struck"),
    "miss.upheld": N_("the miss was let stand"),
    "provider.applied": N_("Asked to join"),
    "provider.applied_again": N_("Asked to join again"),
    "provider.application_withdrawn": N_("Took its application back, and was forgotten"),
    "provider.created": N_("Was entered by an administrator"),
    "provider.imported": N_("Came in with a file, in its line %(line)s"),
    "provider.approved": N_("Was verified"),
    "provider.rejected": N_("Was turned away"),
    "provider.suspended": N_("Was suspended"),
    "provider.reinstated": N_("Was reinstated"),
    "provider.left": N_("It left for good"),
    "provider.contact_erased": N_("What identified its contact was erased"),
    "provider.changed": N_("The profile was changed"),
    "provider.paused": N_("Leave was planned"),
    "provider.paused_for_misses": N_("Was paused for repeated misses"),
    "provider.pause_ended": N_("A pause ended"),
    "provider.related": N_("Was related to another provider"),
    "provider.member_invited": N_("A colleague was invited"),
    "provider.member_invited_again": N_("A colleague was written to again"),
    "provider.member_invitation_withdrawn": N_("An invitation of a colleague was taken back"),
    "provider.member_joined": N_("A colleague joined"),
    "provider.member_removed": N_("A colleague was removed"),
    "provider.member_role_changed": N_("A colleague was given another role: %(role)s"),
    "accreditation.imported": N_("Accreditation for %(standard)s, %(number)s: came in with a file"),
    "accreditation.claimed": N_(
        "Accreditation for %(standard)s, %(number)s: stated by the provider"
    ),
    "accreditation.changed": N_("Accreditation for %(standard)s, %(number)s: changed"),
    "accreditation.checked": N_(
        "Accreditation for %(standard)s, %(number)s: looked up in a register"
    ),
    "accreditation.suspended": N_("Accreditation for %(standard)s, %(number)s: suspended"),
    "accreditation.reinstated": N_("Accreditation for %(standard)s, %(number)s: counts again"),
    "accreditation.evidence_sent": N_(
        "Accreditation for %(standard)s, %(number)s: evidence was sent"
    ),
    "accreditation.withdrawn": N_(
        "Accreditation for %(standard)s, %(number)s: taken back by its holder"
    ),
    "accreditation.expiry_told": N_(
        "Accreditation for %(standard)s, %(number)s: told that it ends"
    ),
    "api_key.made": N_("A key for software was made: %(key)s"),
    "api_key.revoked": N_("A key for software was revoked: %(key)s"),
    "api_key.kept": N_("A key for software was kept by a colleague of who left: %(key)s"),
    "user.created": N_("%(person)s can sign in"),
    "user.let_in_again": N_("%(person)s can sign in again"),
    "user.erased": N_("Somebody had their account erased"),
    "user.forgotten": N_("Somebody who could sign in no more was forgotten"),
    "user.data_exported": N_("%(person)s had their data given to them"),
    "user.removed": N_("%(person)s can sign in no more"),
    "user.invited": N_("%(person)s was mailed a link to set a first password"),
    "user.signed_in": N_("%(person)s signed in"),
    "user.signed_out": N_("%(person)s signed out"),
    "user.sign_in_failed": N_("Somebody tried to sign in as %(person)s, and was not let in"),
    "user.email_change_asked": N_("%(person)s asked to sign in by another address"),
    "user.email_change_confirmed": N_("%(person)s confirmed another address on one side"),
    "user.email_change_stopped": N_("Another address for %(person)s was stopped"),
    "user.email_changed": N_("%(person)s signs in by another address"),
    "user.proved": N_("%(person)s proved once more who they are"),
    "user.sessions_ended": N_("%(person)s was signed out elsewhere, sessions: %(sessions)s"),
    "user.second_factor_set_up": N_("%(person)s set a second factor up"),
    "user.second_factor_taken_off": N_(
        "The second factor of %(person)s was taken off, who had lost it"
    ),
    "user.second_factor_removed": N_("%(person)s removed the second factor"),
    "user.recovery_codes_made": N_("%(person)s has new recovery codes"),
    "user.recovery_code_used": N_("%(person)s used a recovery code; left: %(left)s"),
    "user.password_set": N_("%(person)s set a password"),
    "user.password_reset_asked": N_("A link to set a password was asked for: %(person)s"),
    "webhook.made": N_("A webhook was set up"),
    "webhook.changed": N_("The webhook was changed"),
    "webhook.deleted": N_("The webhook was deleted"),
    "webhook.switched_off": N_("The webhook was switched off"),
    "webhook.tried": N_("The webhook was tried"),
}
"""What each verb says; what it was about stands before it, or in it."""


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
    return [_deed(each) for each in entries]


def _deed(happened: Happened) -> Deed:
    words: dict[str, Any] = defaultdict(str, {**happened.facts, **happened.about})
    if happened.verb == "message":
        words["subject"] = words["subject"] or _("what it said is forgotten")
        words["to"] = words["to"] or _("somebody who is forgotten")
        words["state"] = say(words["state"], "message")
    sentence = SENTENCES.get(happened.verb)
    if sentence is None:
        what, more = happened.verb.replace(".", ": ").replace("_", " "), _facts(happened)
    else:
        what, more = translate(sentence) % words, _more(happened)
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
        Kind.SETTING_UP: _("somebody who sets a second factor up"),
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
    if happened.verb == "lead.outcome_told":
        return say(facts.get("outcome", ""), "outcome")
    if happened.verb == "invitation.declined" and facts.get("reason"):
        return say(facts["reason"], "decline")
    if happened.verb == "invitation.extended":
        more, in_all = (minutes(facts[name]) for name in ("minutes", "minutes_in_all"))
        return str(_("%(more)s more, %(in_all)s in all", more=more, in_all=in_all))
    if happened.verb == "message" and facts["error"]:
        return str(facts["error"])
    if happened.verb == "provider.changed":
        return ", ".join(map(_field, facts.get("fields", ())))
    if happened.verb.endswith(".imported"):
        # Whoever read the file in vouched for what stood in it, or did not.
        return str(_("vouched for")) if facts.get("verified") else ""
    if happened.verb == "lead.contact_read" and facts.get("door") == "mail":
        return str(_("by mail, to the provider that was chosen"))
    if happened.verb == "accreditation.checked":
        return say(facts.get("result", ""), "check")
    return ""


def _field(name: str) -> str:
    """Return what a part of a profile is called, as in the sentences of its form."""
    paths = (f"coverage.{name}", name.replace("contact_", "contact."))
    said = next((PROFILE[path] for path in paths if path in PROFILE), None)
    return name.replace("_", " ") if said is None else translate(said)


def _facts(happened: Happened) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in happened.facts.items())
