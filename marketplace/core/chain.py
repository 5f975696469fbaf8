"""The chain of seals behind the log: what a seal is, and what is wrong with a row of them.

A seal's hash is SHA-256 of the hash before it (32 zero bytes before the first) and of the event:
its columns in the order of `FIELDS`, each as PostgreSQL says it by the expression there, in UTF-8,
written `<bytes>:<text>,`, and `-,` where it is null; and before them, in the same way, the number
of this form. None of that depends on a time zone, a setting, or the order of keys in what was sent:

    at     seconds since 1970, with six decimals
    facts  keys by length, then by bytes; a blank after every comma and colon; numbers with all
           their digits; letters as they are, signs escaped as JSON has to: what `jsonb` is as text

So an auditor works it out anew with SQL or a few lines of any language
(`tests/services/test_verify_log.py` does).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

FORM = 1
"""Of what is hashed. Should events get another column, seals of a second form follow the first."""

FIELDS = (
    "id::text", "extract(epoch FROM at)::text", "actor_kind", "actor_id::text", "verb",
    "subject_id::text", "facts::text", "request_id", "address",
)  # fmt: skip

GENESIS = bytes(32)
"""What stands before the first."""

Fields = Sequence[str | None]


@dataclass(frozen=True)
class Sealed:
    """A seal as it is stored, and the event that it names as that is stored, if it is there."""

    seq: int
    event_id: str
    form: int
    hash: bytes
    event: Fields | None


def next_hash(previous: bytes, event: Fields, form: int = FORM) -> bytes:
    """Return the hash of the seal that follows `previous`."""
    return hashlib.sha256(previous + _written(str(form)) + b"".join(map(_written, event))).digest()


def _written(field: str | None) -> bytes:
    if field is None:
        return b"-,"
    said = field.encode()
    return b"%d:%b," % (len(said), said)


def faults(seals: Iterable[Sealed], anchors: Mapping[int, bytes]) -> Iterator[str]:
    """Yield what is wrong with the chain, a line each, in its order; read each seal once.

    `anchors`: hashes by number that were noted elsewhere before. One change yields one line, or
    two where it touches two seals: what follows is judged by what is stored before it.
    """
    # Either is taken for the hash before: the stored one, or where that was found to be wrong also
    # what it should have been. None: unknown, since what stood there is gone.
    before: tuple[bytes, ...] = (GENESIS,)
    last = 0
    for each in seals:
        expected = last + 1
        if each.seq == last:
            yield f"seal {each.seq}: there more than once, or its event {each.event_id} is"
            continue
        if each.seq != expected:
            yield f"seal {_span(expected, each.seq - 1)}: gone, or numbered anew"
            before = ()
        last = each.seq
        anchor = anchors.get(each.seq)
        if anchor is not None and anchor != each.hash:
            yield f"seal {each.seq}: not the one that was noted before"
        computed = [next_hash(one, each.event, each.form) for one in before] if each.event else []
        if each.event is None:
            yield f"event {each.event_id}: gone; it was sealed as number {each.seq}"
        elif before and each.hash not in computed:
            yield (
                f"event {each.event_id}, seal {each.seq}: one of them, or their order, was changed"
            )
            before = (each.hash, *computed[:1])
            continue
        before = (each.hash,)
    for seq in sorted(seq for seq in anchors if not 0 < seq <= last):
        yield f"seal {seq}: gone, although it was noted before; the log ends with {last}"


def _span(first: int, last: int) -> str:
    return str(first) if first >= last else f"{first} to {last}"
