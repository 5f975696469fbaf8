"""What an administrator reads of leads that wait for a provider."""

from dataclasses import replace

from marketplace.matching import service as matching


def test_the_desk_says_how_long_a_lead_waits_and_why_and_leads_to_it(admin, make, clock):
    make.provider(regions=("NZ",))
    lead = make.matched_lead(regions=["NZ"])
    clock.advance(hours=3)
    page = admin.open("/admin")
    assert (
        f"{lead.reference}, {lead.company_name}: for 3 hours, it takes 2 more fitting "
        "providers than there are. 2 places are empty; 1 of at most 9 providers invited."
    ) in page.text
    assert lead.reference in admin.open(f"/admin/leads/{lead.id}").text


def test_the_desk_shows_a_lead_for_which_nobody_more_may_be_asked(admin, ctx, make):
    few = replace(ctx, policy=replace(ctx.policy, max_invitations=1))
    make.provider()
    lead = make.lead()
    for _ in range(2):
        matching.match_lead(few, lead.id)
    said = "as many providers were asked as may be for one request"
    page = admin.open("/admin")
    assert f"{lead.reference}, {lead.company_name}: not tried again, {said}." in page.text
    page = admin.open(f"/admin/leads/{lead.id}")
    assert f"With an empty place, and not tried again: {said}." in page.text
