"""Every route and method of the running application, tried as each party: `authorisation.csv`."""

from contextlib import nullcontext

from tests.api.authorisation import (
    PARTIES,
    a_world,
    knock,
    outcome_of,
    path_to,
    read_table,
    tokens_for,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")

FOREIGN = ("stranger", "other_business")
"""Who knocks with ids that are somebody else's; sessions have each person for themselves."""

ONE_OF_EACH_KIND = ("nobody", "business", "owner", "key_manage", "admin", "lapsed")
"""Who knocks where everybody is let in: nobody is asked there who they are."""

REASON, TEXT = {"reason": "x"}, {"text": "x"}
BODIES = {
    ("POST", "/api/v1/portal/invitations/<uuid:invitation_id>/attachments"): {
        "file": (b"%PDF-1.7", "Offer.pdf")
    },
    ("POST", "/api/v1/portal/invitations/<uuid:invitation_id>/decline"): {"reason": "other"},
    ("POST", "/api/v1/portal/invitations/<uuid:invitation_id>/questions"): TEXT,
    ("POST", "/api/v1/portal/misses/<uuid:invitation_id>/objection"): TEXT,
    ("PUT", "/api/v1/portal/reviews/<uuid:review_id>/reply"): TEXT,
    ("POST", "/api/v1/portal/reviews/<uuid:review_id>/report"): REASON,
    ("PATCH", "/api/v1/portal/team/<uuid:member_id>"): {"role": "member"},
    ("POST", "/api/v1/request/reviews/<uuid:review_id>/report"): REASON,
    ("POST", "/portal/record/<uuid:invitation_id>/object"): TEXT,
    ("POST", "/portal/reviews/<uuid:review_id>/reply"): TEXT,
    ("POST", "/portal/reviews/<uuid:review_id>/report"): REASON,
    ("POST", "/portal/team/<uuid:member_id>/role"): {"role": "member"},
}
"""What is sent where anything else would be refused before it is looked whose it is."""


def declared(app):
    """Yield every route with each of its methods; whoever may GET may ask for the head of it."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD"}):
            yield rule, method


def test_the_table_has_a_row_for_every_route_and_method_and_no_other(installation):
    routes = {(method, rule.rule) for rule, method in declared(installation.app)}
    table = read_table().keys()
    assert sorted(routes - table) == [], "without a row: say who may"
    assert sorted(table - routes) == [], "there is no such route any more"
    assert all(set(row) == {"method", "route", *PARTIES} for row in read_table().values())


def test_everybody_is_let_in_where_the_table_says_and_nowhere_else(installation, counted):
    table, wrong, tried = read_table(), [], 0
    with a_world(installation) as world:
        for number, (rule, method) in enumerate(declared(world.app)):
            row, path = table[method, rule.rule], path_to(world, rule)
            body = BODIES.get((method, rule.rule), {})
            is_open = {row[each] for each in PARTIES} == {"+"}
            for party in ONE_OF_EACH_KIND if is_open else PARTIES:
                is_foreign = party in FOREIGN and "uuid:" in rule.rule
                is_foreign |= party != "owner" and "session_id" in rule.rule
                # What is refused does nothing; if it is not refused, the test fails anyway.
                changes = method != "GET" and row[party] not in ("401", "403")
                for token in tokens_for(world, party, row, number):
                    with world.undone() if changes else nullcontext():
                        before = world.events() if is_foreign else -1
                        answer = knock(world, token, method, path, body)
                        has_done = not is_foreign or world.events() > before
                    tried += 1
                    found = outcome_of(answer, party, has_done=has_done)
                    if found != row[party]:
                        wrong.append((method, rule.rule, party, row[party], found, answer.status))
    counted[f"requests as {len(PARTIES)} parties at {len(table)} routes and methods"] = tried
    assert tried > 2 * len(table)
    assert wrong == [], "\n".join(" ".join(each) for each in wrong)


def test_a_method_that_is_not_declared_is_refused_whoever_asks(installation, counted):
    tried, parties = 0, PARTIES
    with a_world(installation) as world:
        routes = world.app.url_map.bind("localhost")
        paths = {path_to(world, rule) for rule in world.app.url_map.iter_rules()}
        for path in sorted(paths):
            # One address may be that of several routes, such as of one by a token.
            there = set(routes.allowed_methods(path.replace("%20", " ")))
            for method in set(METHODS) - there:
                token = world.tokens[parties[tried % len(parties)]][0]
                answer = knock(world, token, method, path)
                assert answer.status_code == 405, (method, path, answer.status)
                assert set(answer.headers["Allow"].split(", ")) == there, (method, path)
                tried += 1
    counted["requests by methods that there are not"] = tried
    assert tried > len(paths)
