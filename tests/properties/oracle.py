"""Who may be invited, worked out the slow way: the sentences of the design, one function each.

Written from the design (section 1, invariants 4 and 5, and section 5) and the facts of the field,
and not from the code that it checks; it shares nothing with it but plain values.
"""

from datetime import date

from tests.properties.markets import (
    ACCREDITORS,
    BODY,
    CONSULTANT,
    LAST_DAYS,
    SYSTEMS,
    Advice,
    Firm,
    Held,
    Market,
    Tie,
)


def kind(market: Market, firm: Firm) -> bool:
    """The kind fits the service."""
    if market.ask.service == "consulting":
        return firm.kind == CONSULTANT
    if market.ask.service == "certification":
        return firm.kind == BODY
    return firm.kind in (CONSULTANT, BODY)


def edition(market: Market, firm: Firm) -> bool:
    """Nobody is asked for an edition whose time is over, whoever offers it."""
    return not ended(market)


def ended(market: Market) -> list[str]:
    """The standards of which the edition wanted has had its last day.

    Audits for a new certificate end before those that keep up or transfer one that runs on.
    """
    over = []
    for standard, wanted in market.ask.editions.items():
        if (standard, wanted) in LAST_DAYS:
            for_new, at_all = LAST_DAYS[standard, wanted]
            last = for_new if market.ask.status in ("none", "lapsed") else at_all
            if market.today > last:
                over.append(standard)
    return over


def state(market: Market, firm: Firm) -> bool:
    """Only a verified provider is invited: not an applicant, and nobody rejected or suspended."""
    return firm.state == "verified"


def standards(market: Market, firm: Firm) -> bool:
    """It covers every standard."""
    return all(standard in firm.standards for standard in market.ask.editions)


def regions(market: Market, firm: Firm) -> bool:
    """It covers every region, or works remotely and the lead allows it."""
    if firm.remote and market.ask.remote_ok:
        return True
    for region in market.ask.regions:
        country = region.split("-")[0]
        if region not in firm.regions and country not in firm.regions:
            return False
    return True


def headcount(market: Market, firm: Firm) -> bool:
    """The headcount is inside its range."""
    least, most = firm.size
    return least <= market.ask.headcount <= most


def capacity(market: Market, firm: Firm) -> bool:
    """It has capacity, open and per month.

    A count of a past month is over. One of a month to come was written by a host whose clock is
    right, while ours is behind: it counts.
    """
    at_once, is_open = firm.open
    in_a_month, month, had = firm.month
    if (month.year, month.month) < (market.today.year, market.today.month):
        had = 0
    return is_open < at_once and had < in_a_month


def pause(market: Market, firm: Firm) -> bool:
    """It is not paused or on leave: from the start up to, not at, the end."""
    return not any(start <= market.now < end for start, end in firm.pauses)


def accreditation(market: Market, firm: Firm) -> bool:
    """A certification body holds an accreditation that counts for every standard of the lead."""
    if firm.kind != BODY:
        return True
    for standard, edition in market.ask.editions.items():
        if not any(counts(market, held, standard, edition) for held in firm.held):
            return False
    return True


def counts(market: Market, held: Held, standard: str, edition: str) -> bool:
    """It is verified, in force, by a recognised body, in the edition and for the sector wanted.

    Where the scope is not known, of edition or of sector, it is not "no". Each standard has a
    system of its own for sectors: what a scope says in another system says nothing of this one.
    """
    if held.standard != standard or held.state != "verified":
        return False
    if held.since is not None and held.since > market.today:
        return False
    if held.until < market.today:
        return False
    recognition, only_for = ACCREDITORS[held.accreditor]
    if recognition != "yes" or (only_for is not None and standard not in only_for):
        return False
    if held.edition is not None and held.edition != edition:
        return False
    if market.ask.sector is None or held.sectors is None:
        return True
    (system,) = [codes for codes in SYSTEMS.values() if market.ask.sector in codes]
    said = [code for code in held.sectors if code in system]
    return said == [] or market.ask.sector in said


def invited(market: Market, firm: Firm) -> bool:
    """It was not invited before."""
    return not firm.was_invited


def impartiality(market: Market, firm: Firm) -> bool:
    """No body and related consultant on one lead; no body that, or whose relative, advised."""
    for other in market.firms:
        if other.was_invited and other != firm and not may_stand_together(market, firm, other):
            return False
    return has_not_advised(market, firm)


def may_stand_together(market: Market, one: Firm, other: Firm) -> bool:
    """A body and a consultant of one legal entity, or related today, may not be on one lead."""
    if {one.kind, other.kind} != {BODY, CONSULTANT}:
        return True
    if one.entity is not None and one.entity == other.entity:
        return False
    for tie in market.ties:
        if {tie.one, tie.other} == {one.number, other.number}:
            begun = tie.since is None or tie.since <= market.today
            over = tie.until is not None and tie.until < market.today
            if begun and not over:
                return False
    return True


def has_not_advised(market: Market, firm: Firm) -> bool:
    """Never a body for a business that it, or a relative of it, advised within two years."""
    if firm.kind != BODY:
        return True
    for advice in market.ask.advice:
        if is_two_years_ago(advice.ended_on, market.today):
            continue
        if advice.name == firm.name:
            return False
        for adviser in entries_of_adviser(market, advice):
            if adviser == firm:
                return False
            for tie in market.ties:
                both = {tie.one, tie.other} == {firm.number, adviser.number}
                if both and in_two_years(market, tie):
                    return False
    return True


def entries_of_adviser(market: Market, advice: Advice) -> list[Firm]:
    """The firm that advised, where we know it, and the entry of its legal entity that stands."""
    if advice.firm is None:
        return []
    adviser = market.firm(advice.firm)
    return [firm for firm in market.firms if firm == adviser or stands_for(firm, adviser)]


def stands_for(firm: Firm, other: Firm) -> bool:
    """Both are of one legal entity, of which this entry was not turned away."""
    return firm.entity is not None and firm.entity == other.entity and firm.state != "rejected"


def is_two_years_ago(ended_on: date | None, today: date) -> bool:
    """Two years after its end have come; what began on 29 February is over on 1 March."""
    if ended_on is None:
        return False
    month, day = (3, 1) if (ended_on.month, ended_on.day) == (2, 29) else (
        ended_on.month, ended_on.day,
    )  # fmt: skip
    return date(ended_on.year + 2, month, day) <= today


def in_two_years(market: Market, tie: Tie) -> bool:
    """They were related at any time in the last two years; a tie to come is none yet."""
    begun = tie.since is None or tie.since <= market.today
    ended_before = tie.until is not None and tie.until < same_day_two_years_ago(market.today)
    return begun and not ended_before


def same_day_two_years_ago(today: date) -> date:
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return date(today.year - 2, today.month, day)


SENTENCES = (
    kind, edition, state, standards, regions, headcount, capacity, pause, accreditation, invited,
    impartiality,
)  # fmt: skip


def broken(market: Market, firm: Firm) -> list[str]:
    """Return which sentences are not true of a firm, in the order of the funnel."""
    return [each.__name__ for each in SENTENCES if not each(market, firm)]


def eligible(market: Market) -> list[Firm]:
    """Return who may be invited."""
    return [firm for firm in market.firms if not broken(market, firm)]
