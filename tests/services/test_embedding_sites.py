"""The sites that the form may stand in: named by administrators, written down, each there once."""

import pytest

from marketplace.core.actors import ANYBODY, OPERATOR
from marketplace.core.errors import Conflict, Invalid, NotAllowed, NotFound
from marketplace.core.events import Event
from marketplace.core.forms import Form
from marketplace.leads import service, sites
from marketplace.leads.models import Lead
from marketplace.leads.signals import Telltale
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import lead_form

KESTREL = Form({"name": "Kestrel", "address": "https://Kestrel.example/shop"})


def may_embed(make, origin):
    return make.ask(lambda session: sites.may_embed(session, origin))


def test_a_site_is_named_and_taken_away_again_and_both_are_written_down(ctx, make):
    site = sites.add_site(ctx, OPERATOR, KESTREL)
    assert may_embed(make, "https://kestrel.example")
    assert not may_embed(make, "https://www.kestrel.example")
    assert not may_embed(make, "http://kestrel.example")
    sites.remove_site(ctx, OPERATOR, site.id)
    assert not may_embed(make, "https://kestrel.example")
    events = make.ask(lambda session: session.query(Event).order_by(Event.id).all())
    assert [(each.verb, each.facts) for each in events] == [
        ("embedding_site.added", {"origin": "https://kestrel.example"}),
        ("embedding_site.removed", {"origin": "https://kestrel.example"}),
    ]
    with pytest.raises(NotFound):
        sites.remove_site(ctx, OPERATOR, site.id)


def test_a_site_is_there_once_however_its_address_is_written(ctx, make):
    sites.add_site(ctx, OPERATOR, KESTREL)
    with pytest.raises(Conflict, match="already"):
        sites.add_site(ctx, OPERATOR, Form({"name": "Shop", "address": "https://kestrel.example"}))
    assert len(make.ask(lambda session: sites.embedding_sites(session, OPERATOR))) == 1


def test_what_is_no_address_of_a_site_is_refused(ctx, make):
    with pytest.raises(Invalid) as refused:
        sites.add_site(ctx, OPERATOR, Form({"name": "All", "address": "https://*"}))
    assert [each.pointer for each in refused.value.errors] == ["/address"]
    assert make.ask(lambda session: sites.embedding_sites(session, OPERATOR)) == []


def test_nobody_but_an_administrator_decides_where_the_form_may_stand(ctx, make):
    site = sites.add_site(ctx, OPERATOR, KESTREL)
    with pytest.raises(NotAllowed):
        sites.add_site(ctx, ANYBODY, KESTREL)
    with pytest.raises(NotAllowed):
        sites.remove_site(ctx, ANYBODY, site.id)
    with pytest.raises(NotAllowed):
        make.ask(lambda session: sites.embedding_sites(session, ANYBODY))


def test_a_lead_says_from_which_site_it_came_or_nothing(ctx, make):
    for number, source in enumerate(("https://kestrel.example", None)):
        form = load(LeadIn(), lead_form(number))
        service.submit_lead(ctx, form, Telltale(seconds_to_fill=60, source=source))
    leads = make.ask(lambda session: session.query(Lead).order_by(Lead.id).all())
    assert [each.source for each in leads] == ["https://kestrel.example", None]
