"""A provider's inbox as a page: nothing depends on e-mail alone."""

from flask import Blueprint, render_template, request

from marketplace.core.errors import NotSignedIn
from marketplace.web.api.portal_messages import own_inbox
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.paging import PageArgs, cursor
from marketplace.web.requests import Parser

pages = Blueprint("portal_messages", __name__, url_prefix="/portal")
pages.register_error_handler(NotSignedIn, to_sign_in)


@pages.get("/messages")
def messages() -> str:
    """Show what was written to the provider, the newest first; what is shown counts as read."""
    found = own_inbox(Parser().parse(PageArgs, request, location="query"))
    profile, zone = own_profile()
    return render_template(
        "messages.html",
        inbox=found,
        following=cursor(found.last) if found.last else None,
        profile=profile,
        zone=zone,
    )
