"""Which door is open to whom: the one list."""

from collections.abc import Collection

from flask import Blueprint as Pages
from flask import Flask, request
from flask_smorest import Api

from marketplace.core.actors import Kind
from marketplace.web import limits, operations
from marketplace.web.api import (
    admin_catalogue,
    admin_consultants,
    admin_events,
    admin_leads,
    admin_misses,
    admin_notifications,
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
    portal_webhook,
    provider_applications,
    sessions,
)
from marketplace.web.api import request as business
from marketplace.web.auth import api_door, page_door
from marketplace.web.pages import (
    checks,
    desk,
    embed,
    embedding_desk,
    front,
    gallery,
    guard,
    join,
    lead_desk,
    links,
    mailbox,
    own_outcome,
    own_request,
    portal,
    portal_accreditations,
    portal_leave,
    portal_profile,
    portal_software,
    portal_team,
    provider_desk,
    quoting,
    record,
    reminders,
    reports,
    review_desk,
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
from marketplace.web.requests import Blueprint

ANYBODY = None
BUSINESS = frozenset({Kind.BUSINESS})
PROVIDER = frozenset({Kind.PROVIDER, Kind.API_KEY})
PROVIDER_PERSON = frozenset({Kind.PROVIDER})
PERSON = frozenset({Kind.PROVIDER, Kind.ADMIN})
ADMIN = frozenset({Kind.ADMIN})

API_DOORS: tuple[tuple[Blueprint, Collection[Kind] | None], ...] = (
    (admin_catalogue.blp, ADMIN),
    (admin_consultants.blp, ADMIN),
    (admin_events.blp, ADMIN),
    (admin_leads.blp, ADMIN),
    (admin_misses.blp, ADMIN),
    (admin_notifications.blp, ADMIN),
    (admin_reports.blp, ADMIN),
    (admin_reviews.blp, ADMIN),
    (admin_suppressions.blp, ADMIN),
    (business.blp, BUSINESS),
    (admin_providers.blp, ADMIN),
    (catalogue.blp, ANYBODY),
    (leads.blp, ANYBODY),
    (matching_disclosure.blp, ANYBODY),
    (portal_invitations.blp, PROVIDER),
    (portal_attachments.blp, PROVIDER),
    (portal_misses.blp, PROVIDER),
    (hooks.blp, ANYBODY),  # signed
    (portal_api_keys.blp, PROVIDER_PERSON),
    (portal_messages.blp, PROVIDER),
    (portal_provider.blp, PROVIDER),
    (portal_reviews.blp, PROVIDER),
    (portal_statement.blp, PROVIDER),
    (portal_webhook.blp, PROVIDER_PERSON),
    (provider_applications.blp, ANYBODY),
    (sessions.blp, ANYBODY),
    (sessions.own, PERSON),
)

PAGE_DOORS: tuple[tuple[Pages, Collection[Kind] | None], ...] = (
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
    (reminders.own, BUSINESS),
    (sign_in.pages, ANYBODY),
    (portal.pages, PROVIDER_PERSON),
    (quoting.pages, PROVIDER_PERSON),
    (message_pages.pages, PROVIDER_PERSON),
    (portal_profile.pages, PROVIDER_PERSON),
    (portal_accreditations.pages, PROVIDER_PERSON),
    (portal_leave.pages, PROVIDER_PERSON),
    (statement_pages.pages, PROVIDER_PERSON),
    (portal_software.pages, PROVIDER_PERSON),
    (portal_team.pages, PROVIDER_PERSON),
    (record.pages, PROVIDER_PERSON),
    (review_pages.pages, PROVIDER_PERSON),
    (desk.pages, ADMIN),
    (lead_desk.pages, ADMIN),
    (provider_desk.pages, ADMIN),
    (reports.pages, ADMIN),
    (review_desk.pages, ADMIN),
    (embedding_desk.pages, ADMIN),
    (docs.pages, ANYBODY),
    (operations.pages, ANYBODY),
)

DEVELOPMENT_DOORS: tuple[tuple[Pages, Collection[Kind] | None], ...] = (
    (mailbox.pages, ANYBODY),
    (gallery.pages, ANYBODY),
)
"""There with `MAIL_BACKEND=mailbox` only."""


def register(app: Flask, api: Api) -> None:
    """Hang every group of endpoints in, behind the check that its line names."""
    by_mailbox = app.extensions["marketplace"].settings.mail_backend == "mailbox"
    page_doors = PAGE_DOORS + (DEVELOPMENT_DOORS if by_mailbox else ())
    checks = {blueprint.name: api_door(kinds) for blueprint, kinds in API_DOORS}
    checks |= {pages.name: page_door(kinds) for pages, kinds in page_doors}
    app.extensions["doors"] = {blueprint.name: kinds for blueprint, kinds in API_DOORS}

    app.before_request(guard.allow_uploads)

    @app.before_request
    def check() -> None:
        if request.blueprint in checks:
            with limits.refusals_counted():
                checks[request.blueprint]()

    # The JSON interface answers to bearer tokens, which no other site's form can send. The form
    # inside another site has no cookie to be abused: it carries a seal instead. Reminders are
    # stopped by the token in the address: a mail program has nothing else to send.
    open_to_others = [embed.pages, reminders.stopping]
    guard.protect(app, exempt=[*(blueprint for blueprint, _ in API_DOORS), *open_to_others])
    for blueprint, _ in API_DOORS:
        api.register_blueprint(blueprint)
    for pages, _ in page_doors:
        app.register_blueprint(pages)
