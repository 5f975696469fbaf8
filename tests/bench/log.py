"""The audit log: what its trigger costs a writer, and how fast it is sealed and verified."""

import time
from dataclasses import replace
from datetime import timedelta

import psycopg

from marketplace.core.context import Context
from marketplace.core.sealing_log import seal_events
from marketplace.core.verifying import verify_log

WRITERS = 20_000
"""Events that are written one by one, with and without the trigger."""

_MANY = """
    INSERT INTO events SELECT gen_random_uuid(), now(), 'system', NULL, 'lead.opened',
        gen_random_uuid(), '{"lead": "none", "place": 1}', '-', '192.0.2.0/24'
    FROM generate_series(1, %s)
"""
_ONE = _MANY.replace("FROM generate_series(1, %s)", "")


def time_log(ctx: Context, url: str, events: int) -> dict[str, float]:
    """Return microseconds of a writer without and with the trigger, and events a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        figures = {}
        for able, name in (("DISABLE", "writer_without"), ("ENABLE", "writer_with")):
            connection.execute(f"ALTER TABLE events {able} TRIGGER events_are_to_be_sealed")
            began = time.perf_counter()
            # What is written without it is rolled back: it would be found, as it should.
            with connection.transaction(force_rollback=able == "DISABLE"):
                for _ in range(WRITERS):
                    connection.execute(_ONE, prepare=True)
            figures[name] = (time.perf_counter() - began) / WRITERS * 1e6
        connection.execute(_MANY, [events - WRITERS])
    patient = replace(ctx, policy=replace(ctx.policy, sweep_interval=timedelta(hours=1)))
    began = time.perf_counter()
    sealed = seal_events(patient)
    figures["sealed_a_second"] = sealed / (time.perf_counter() - began)
    began = time.perf_counter()
    seen = verify_log(ctx)
    figures["verified_a_second"] = seen.events / (time.perf_counter() - began)
    assert seen.found == []
    return figures
