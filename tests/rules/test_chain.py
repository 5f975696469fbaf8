"""The chain of seals: any change of it is found, and nothing else is."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.chain import FIELDS, GENESIS, Sealed, faults, next_hash

FIELD = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["", "-,", "1:a,", "0:,"]))
EVENT = st.lists(FIELD, min_size=len(FIELDS) - 1, max_size=len(FIELDS) - 1)


def chain_of(events):
    """Return the seals of these events, each with an id in front."""
    seals, before = [], GENESIS
    for seq, (event_id, rest) in enumerate(events, start=1):
        event = [event_id, *rest]
        before = next_hash(before, event)
        seals.append(Sealed(seq, event_id, 1, before, event))
    return seals


def found(seals, anchors=()):
    return list(faults(seals, dict(anchors)))


def ten():
    return chain_of([(f"id {n}", [f"field {n}"] * 8) for n in range(10)])


def test_a_hash_is_what_the_page_says_it_is():
    event = ["an id", "1795424400.000000", "system", None, "läd.opened", "", "{}", "-", "-,"]
    said = b"1:1," + b"".join(
        (b"5:an id,", b"17:1795424400.000000,", b"6:system,", b"-,", "11:läd.opened,".encode(),
         b"0:,", b"2:{},", b"1:-,", b"2:-,,")
    )  # fmt: skip
    assert next_hash(GENESIS, event) == hashlib.sha256(bytes(32) + said).digest()


@given(one=EVENT, other=EVENT)
def test_two_events_have_the_same_hash_only_where_they_are_the_same(one, other):
    assert (next_hash(GENESIS, one) == next_hash(GENESIS, other)) is (one == other)


@given(events=st.lists(EVENT, max_size=8))
def test_nothing_is_wrong_with_a_chain_that_nobody_touched(events):
    seals = chain_of((str(number), rest) for number, rest in enumerate(events))
    anchors = {each.seq: each.hash for each in seals}
    assert found(seals, anchors) == []


@given(
    events=st.lists(EVENT, min_size=1, max_size=6),
    data=st.data(),
)
def test_any_change_at_random_is_found(events, data):
    seals = chain_of((str(number), rest) for number, rest in enumerate(events))
    at = data.draw(st.integers(0, len(seals) - 1))
    it = seals[at]
    change = data.draw(st.sampled_from(["field", "hash", "form", "seq", "gone", "event gone"]))
    if change == "field":
        where = data.draw(st.integers(0, len(FIELDS) - 1))
        to = data.draw(FIELD.filter(lambda value: value != it.event[where]))
        seals[at] = replace(it, event=[*it.event[:where], to, *it.event[where + 1 :]])
    elif change == "hash":
        other = data.draw(st.binary(max_size=33).filter(lambda value: value != it.hash))
        seals[at] = replace(it, hash=other)
    elif change == "form":
        seals[at] = replace(it, form=data.draw(st.integers(-9, 9).filter(lambda n: n != 1)))
    elif change == "seq":
        other = data.draw(st.integers(-9, 99).filter(lambda n: n != it.seq))
        seals[at] = replace(it, seq=other)
        seals.sort(key=lambda each: each.seq)
    elif change == "gone" and at < len(seals) - 1:
        del seals[at]
    else:
        seals[at] = replace(it, event=None)
    assert found(seals)


def test_one_change_is_one_line_that_says_where():
    seals = ten()
    changed = [*seals]
    changed[4] = replace(seals[4], event=["id 4", *["something else"] * 8])
    assert found(changed) == ["event id 4, seal 5: one of them, or their order, was changed"]
    changed[4] = replace(seals[4], hash=bytes(32))
    assert found(changed) == ["event id 4, seal 5: one of them, or their order, was changed"]
    changed[4] = replace(seals[4], event=None)
    assert found(changed) == ["event id 4: gone; it was sealed as number 5"]


def test_what_is_gone_twice_there_or_numbered_anew_is_named():
    seals = ten()
    assert found([*seals[:3], *seals[6:]]) == ["seal 4 to 6: gone, or numbered anew"]
    assert found(seals[1:]) == ["seal 1: gone, or numbered anew"]
    twice = [*seals[:5], seals[4], *seals[5:]]
    assert found(twice) == ["seal 5: there more than once, or its event id 4 is"]


def test_two_that_changed_places_are_both_named():
    seals = ten()
    one, other = seals[3], seals[6]
    seals[3], seals[6] = replace(other, seq=one.seq), replace(one, seq=other.seq)
    assert [line.partition(":")[0] for line in found(seals)] == [
        "event id 6, seal 4", "event id 4, seal 5", "event id 3, seal 7", "event id 7, seal 8",
    ]  # fmt: skip


@pytest.mark.parametrize("kept", [0, 4, 9])
def test_a_chain_that_was_cut_off_is_told_by_an_end_that_was_noted(kept):
    seals = ten()
    noted = {10: seals[-1].hash}
    assert found(seals[:kept]) == []
    assert found(seals[:kept], noted) == [
        f"seal 10: gone, although it was noted before; the log ends with {kept}"
    ]


def test_a_chain_that_was_worked_out_anew_is_told_by_an_end_that_was_noted():
    seals = ten()
    anew = chain_of([(f"id {n}", ["invented"] * 8) for n in range(10)])
    assert found(anew) == []
    assert found(anew, {7: seals[6].hash}) == ["seal 7: not the one that was noted before"]
