"""Which door is open to whom, and which right each takes: the one list.

It is looked at before any view runs. What a view then fetches it fetches for its actor.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from flask import Blueprint as Pages
from flask import Flask, request
from flask_smorest import Api
from werkzeug.wrappers import Response

from marketplace.core.actors import Kind, Right
from marketplace.web import limits, operations
from marketplace.web.api import (
    account,
    account_data,
    admin_catalogue,
    admin_consultants,
    admin_events,
    admin_leads,
    admin_misses,
    admin_notifications,
    admin_people,
    admin_providers,
    admin_reports,
    admin_reviews,
    admin_suppressions,
    catalogue,
    docs,
    hooks,
    leads,
    matching_disclosure,
    portal_api_keys,
    portal_attachments,
    portal_invitations,
    portal_messages,
    portal_misses,
    portal_provider,
    portal_reviews,
    portal_statement,
    portal_team,
    portal_webhook,
    provider_applications,
    sessions,
)
from marketplace.web.api import request as business
from marketplace.web.auth import Door, api_door, page_door
from marketplace.web.pages import (
    checks,
    desk,
    email_change,
    embed,
    embedding_desk,
    front,
    gallery,
    guard,
    join,
    lead_desk,
    links,
    mailbox,
    own_account,
    own_data,
    own_outcome,
    own_request,
    people_desk,
    portal,
    portal_accreditations,
    portal_leave,
    portal_profile,
    portal_software,
    proof,
    provider_desk,
    quoting,
    record,
    reminders,
    reports,
    review_desk,
    second_factor,
    sign_in,
)
from marketplace.web.pages import (
    portal_messages as message_pages,
)
from marketplace.web.pages import (
    portal_reviews as review_pages,
)
from marketplace.web.pages import (
    portal_statement as statement_pages,
)
from marketplace.web.pages import (
    portal_team as team_pages,
)
from marketplace.web.requests import Blueprint, refuse_body, takes_body

ANYBODY = Door(None)
BUSINESS = Door(
    frozenset({Kind.BUSINESS}),
    of_own_data=frozenset(
        {
            "request.PersonalData",
            "own_request.look_at_personal_data",
            "own_request.fetch_personal_data",
            "own_request.agreed_terms",
            "own_request.look_before_erasing",
            "own_request.erase",
        }
    ),
)
ADMIN = Door(frozenset({Kind.ADMIN}))
PERSON = Door(frozenset({Kind.PROVIDER, Kind.ADMIN}))
"""Whoever signed in, whatever their role: what is their own."""
SIGNED_IN = Door(frozenset({Kind.PROVIDER, Kind.ADMIN, Kind.SETTING_UP}))
"""Those as well who have to set a second factor up before anything else."""

_SOFTWARE_TOO = frozenset({Kind.PROVIDER, Kind.API_KEY})
_PEOPLE = frozenset({Kind.PROVIDER})

ANSWER = Door(_SOFTWARE_TOO, looking=Right.READ, acting=Right.ANSWER)
MANAGE = Door(_SOFTWARE_TOO, looking=Right.READ, acting=Right.MANAGE)


def _proven(door: Door, *endpoints: str) -> Door:
    """Return the door at which acting there takes a proof of the last ten minutes as well."""
    return replace(door, asks_again=frozenset(endpoints))


def _people(acting: Right, looking: Right = Right.READ, **routes: Right) -> Door:
    """Return a door for a provider's people, and not for their software."""
    return Door(
        _PEOPLE, looking, acting, {each.replace("__", "."): routes[each] for each in routes}
    )


API_DOORS: tuple[tuple[Blueprint, Door], ...] = (
    (admin_catalogue.blp, ADMIN),
    (admin_consultants.blp, ADMIN),
    (admin_events.blp, ADMIN),
    (admin_leads.blp, ADMIN),
    (admin_misses.blp, ADMIN),
    (admin_notifications.blp, ADMIN),
    (
        admin_people.blp,
        _proven(
            ADMIN,
            "admin_people.Administrators",
            "admin_people.OneAdministrator",
            "admin_people.LostFactor",
        ),
    ),
    (admin_reports.blp, ADMIN),
    (admin_reviews.blp, ADMIN),
    (admin_suppressions.blp, ADMIN),
    (business.blp, BUSINESS),
    (admin_providers.blp, ADMIN),
    (catalogue.blp, ANYBODY),
    (leads.blp, ANYBODY),
    (matching_disclosure.blp, ANYBODY),
    (portal_invitations.blp, ANSWER),
    (portal_attachments.blp, ANSWER),
    (portal_misses.blp, ANSWER),
    (hooks.blp, ANYBODY),  # signed
    (portal_api_keys.blp, _proven(_people(Right.TEAM, Right.MANAGE), "API keys.ApiKeys")),
    (portal_messages.blp, ANSWER),
    (portal_provider.blp, MANAGE),
    (portal_provider.leaving, _people(Right.TEAM, Right.TEAM)),
    (portal_reviews.blp, ANSWER),
    (portal_statement.blp, ANSWER),
    (portal_team.blp, _proven(_people(Right.TEAM), "team.TheTeam", "team.OneOfTheTeam")),
    (portal_webhook.blp, _proven(_people(Right.MANAGE, Right.MANAGE), "webhook.OwnWebhook")),
    (provider_applications.blp, ANYBODY),
    (sessions.blp, ANYBODY),
    (sessions.own, PERSON),
    (sessions.leaving, SIGNED_IN),
    (account.blp, PERSON),
    (account.set_up, SIGNED_IN),
    (account.by_link, ANYBODY),  # each by the token of a link
    (account_data.blp, PERSON),
)

PAGE_DOORS: tuple[tuple[Pages, Door], ...] = (
    (guard.assets, ANYBODY),
    (front.pages, ANYBODY),
    (checks.pages, ANYBODY),
    (embed.pages, ANYBODY),
    (join.pages, ANYBODY),
    (links.pages, ANYBODY),  # each by the token in its address
    (record.way_back, ANYBODY),  # likewise
    (own_outcome.by_link, ANYBODY),  # likewise
    (own_outcome.pages, BUSINESS),
    (reminders.pages, ANYBODY),  # likewise
    (reminders.stopping, ANYBODY),  # likewise
    (own_request.pages, BUSINESS),
    (own_data.pages, PERSON),
    (reminders.own, BUSINESS),
    (sign_in.pages, ANYBODY),
    (own_account.pages, PERSON),
    (proof.pages, PERSON),
    (second_factor.pages, SIGNED_IN),
    (email_change.asking, PERSON),
    (email_change.by_link, ANYBODY),  # by the token in its address
    (portal.pages, _people(Right.ANSWER, portal__look_before_declining=Right.ANSWER)),
    (quoting.pages, _people(Right.ANSWER, quoting__form=Right.ANSWER)),
    (message_pages.pages, _people(Right.ANSWER)),
    (portal_profile.pages, _people(Right.MANAGE)),
    (portal_accreditations.pages, _people(Right.MANAGE)),
    (portal_leave.pages, _people(Right.MANAGE)),
    (statement_pages.pages, _people(Right.ANSWER)),
    (
        portal_software.pages,
        _proven(
            _people(
                Right.MANAGE,
                Right.MANAGE,
                portal_software__make_key=Right.TEAM,
                portal_software__revoke_key=Right.TEAM,
            ),
            "portal_software.make_key",
            "portal_software.keep_webhook",
            "portal_software.delete_webhook",
        ),
    ),
    (
        team_pages.pages,
        _proven(
            _people(Right.TEAM),
            "portal_team.invite",
            "portal_team.again",
            "portal_team.link",
            "portal_team.change",
            "portal_team.remove",
        ),
    ),
    (record.pages, _people(Right.ANSWER, record__end_pause=Right.MANAGE)),
    (review_pages.pages, _people(Right.ANSWER)),
    (desk.pages, ADMIN),
    (lead_desk.pages, ADMIN),
    (provider_desk.pages, ADMIN),
    (reports.pages, ADMIN),
    (review_desk.pages, ADMIN),
    (embedding_desk.pages, ADMIN),
    (
        people_desk.pages,
        _proven(
            ADMIN,
            "people_desk.invite",
            "people_desk.link",
            "people_desk.remove",
            "people_desk.take_factor_off",
        ),
    ),
    (docs.pages, ANYBODY),
    (operations.pages, ANYBODY),
)

DEVELOPMENT_DOORS: tuple[tuple[Pages, Door], ...] = (
    (mailbox.pages, ANYBODY),
    (gallery.pages, ANYBODY),
)
"""There with `MAIL_BACKEND=mailbox` only."""


def register(app: Flask, api: Api) -> None:
    """Hang every group of endpoints in, behind the check that its line names."""
    by_mailbox = app.extensions["marketplace"].settings.mail_backend == "mailbox"
    page_doors = PAGE_DOORS + (DEVELOPMENT_DOORS if by_mailbox else ())
    checks: dict[str, Callable[[], Response | None]] = {
        blueprint.name: api_door(door) for blueprint, door in API_DOORS
    }
    checks |= {pages.name: page_door(door) for pages, door in page_doors}
    app.extensions["doors"] = {blueprint.name: door for blueprint, door in API_DOORS}

    # The JSON interface answers to bearer tokens, which no other site's form can send. The form
    # inside another site has no cookie to be abused: it carries a seal instead. Reminders are
    # stopped by the token in the address: a mail program has nothing else to send.
    open_to_others = [embed.pages, reminders.stopping]
    csrf = guard.Csrf(exempt=[*(blueprint for blueprint, _ in API_DOORS), *open_to_others])
    app.before_request(csrf.refuse_foreign)
    app.before_request(guard.allow_uploads)

    @app.before_request
    def check() -> Response | None:
        if request.blueprint not in checks:
            return None
        with limits.refusals_counted():
            answer = checks[request.blueprint]()
        if (request.endpoint, request.method) in without_body:
            refuse_body(request)
        return answer

    guard.protect(app, csrf)
    for blueprint, _ in API_DOORS:
        api.register_blueprint(blueprint)
    for pages, _ in page_doors:
        app.register_blueprint(pages)
    without_body = _without_body(app)
    _check_names([door for _, door in (*API_DOORS, *page_doors)], known=app.view_functions)


def _without_body(app: Flask) -> set[tuple[str, str]]:
    """Return by endpoint and method what of the JSON interface changes something and reads no body.

    But for SendGrid's, which it reads as it was signed.
    """
    known = {blueprint.name for blueprint, _ in API_DOORS} - {hooks.blp.name}
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set())
        if rule.endpoint.rpartition(".")[0] in known
        and not takes_body(app.view_functions[rule.endpoint], method)
    }


def _check_names(doors: Iterable[Door], known: Collection[str]) -> None:
    """Refuse to start where a right is asked for at an endpoint that there is not."""
    named = {each for door in doors for each in (*door.routes, *door.asks_again, *door.of_own_data)}
    unknown = named - set(known)
    if unknown:
        raise LookupError(f"no such endpoint: {', '.join(sorted(unknown))}")
