"""Migrations that stop the version before them are refused, each by the rule for it."""

import pytest

from marketplace.migrations.schema import LAST_AT_REST, LIMITS
from tests.upgrades.linting import faults_of, scripts_after, statements_of

BEFORE = "BEGIN;\n" + "".join(f"{limit};\n" for limit in LIMITS)
AFTER = "UPDATE alembic_version SET version_num='0099';\nCOMMIT;\n"

BAD = [
    ("adding-required-field", "ALTER TABLE leads ADD COLUMN a text NOT NULL"),
    ("adding-field-with-default", "ALTER TABLE leads ADD COLUMN a uuid DEFAULT gen_random_uuid()"),
    ("adding-field-with-default",
     "ALTER TABLE leads ADD COLUMN a text GENERATED ALWAYS AS (upper(notes)) STORED"),
    ("adding-not-nullable-field", "ALTER TABLE leads ALTER COLUMN notes SET NOT NULL"),
    ("adding-foreign-key-constraint", "ALTER TABLE leads ADD COLUMN a uuid REFERENCES users (id)"),
    ("adding-foreign-key-constraint",
     "ALTER TABLE leads ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES users (id)"),
    ("adding-serial-primary-key-field", "ALTER TABLE leads ADD COLUMN a bigint PRIMARY KEY"),
    ("changing-column-type", "ALTER TABLE leads ALTER COLUMN headcount TYPE bigint"),
    ("constraint-missing-not-valid", "ALTER TABLE leads ADD CONSTRAINT c CHECK (headcount > 0)"),
    ("constraint-missing-not-valid",
     "ALTER TABLE leads ADD CONSTRAINT c CHECK (headcount > 0) NOT VALID;"
     "ALTER TABLE leads VALIDATE CONSTRAINT c"),
    ("disallowed-unique-constraint", "ALTER TABLE leads ADD CONSTRAINT u UNIQUE (reference)"),
    ("require-concurrent-index-creation", "CREATE INDEX i ON leads (notes)"),
    ("require-concurrent-index-deletion", "DROP INDEX i"),
    ("require-concurrent-reindex", "REINDEX TABLE leads"),
    ("ban-concurrent-index-creation-in-transaction",
     "CREATE INDEX CONCURRENTLY i ON leads (notes)"),
    ("renaming-column", "ALTER TABLE leads RENAME COLUMN notes TO remarks"),
    ("renaming-table", "ALTER TABLE leads RENAME TO requests"),
    ("ban-drop-column", "ALTER TABLE leads DROP COLUMN notes"),
    ("ban-drop-table", "DROP TABLE devices"),
    ("ban-drop-constraint", "ALTER TABLE leads DROP CONSTRAINT c"),
    ("ban-drop-not-null", "ALTER TABLE leads ALTER COLUMN reference DROP NOT NULL"),
    ("ban-drop-default", "ALTER TABLE leads ALTER COLUMN notes DROP DEFAULT"),
    ("ban-drop-function", "DROP FUNCTION refuse_change()"),
    ("ban-drop-trigger", "DROP TRIGGER events_are_append_only ON events"),
    ("ban-disable-trigger", "ALTER TABLE events DISABLE TRIGGER USER"),
    ("ban-new-write-restriction",
     "ALTER TABLE leads ADD CONSTRAINT c CHECK (headcount > 0) NOT VALID"),
    ("ban-revoke", "REVOKE SELECT ON leads FROM marketplace_product"),
    ("ban-set-default", "ALTER TABLE leads ALTER COLUMN notes SET DEFAULT ''"),
    ("transaction-nesting", "BEGIN; ALTER TABLE leads ADD COLUMN a text; COMMIT"),
    ("holds-everybody", "LOCK TABLE leads"),
    ("holds-everybody", "TRUNCATE devices"),
    ("holds-everybody", "VACUUM FULL leads"),
    ("rows-at-once", "UPDATE leads SET notes = ''"),
    ("rows-at-once", "DELETE FROM devices"),
    ("rows-at-once", "INSERT INTO devices SELECT * FROM users"),
    ("rows-at-once", "WITH old AS (SELECT id FROM leads) UPDATE leads SET notes = '' FROM old"),
    ("rows-at-once", "/* all of them */ UPDATE leads SET notes = ''"),
    ("rows-at-once", "MERGE INTO leads USING users ON true WHEN MATCHED THEN DELETE"),
    ("cannot-be-seen", "DO $$ BEGIN UPDATE leads SET notes = ''; END $$"),
    ("cannot-be-seen", "CALL fill_in()"),
    ("limits", "SET lock_timeout = 0"),
    ("limits", "SET LOCAL statement_timeout TO '1h'"),
    ("limits", "RESET ALL"),
    ("stands-alone",
     "COMMIT; CREATE INDEX CONCURRENTLY i ON leads (notes); ALTER TABLE leads ADD COLUMN a text;"
     "BEGIN"),
    ("syntax-error", "ALTER TABLE leads ADD COLUMN a text NOT"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "statements"), BAD)
def test_what_would_stop_the_version_before_is_refused(rule, statements):
    faults = faults_of(f"{BEFORE}{statements};\n{AFTER}", "expand")
    assert rule in {each.rule for each in faults}, faults


@pytest.mark.parametrize("limit", range(len(LIMITS)))
def test_one_that_would_wait_for_ever_is_refused(limit):
    without = f"BEGIN;\n{LIMITS[1 - limit]};\nALTER TABLE leads ADD COLUMN a text;\n{AFTER}"
    (fault,) = faults_of(without, "expand")
    assert fault.rule == ("require-lock-timeout", "require-statement-timeout")[limit]


@pytest.mark.parametrize("step", [None, "", "both"])
def test_one_that_does_not_say_which_step_it_is_is_refused(step):
    (fault,) = faults_of(f"{BEFORE}ALTER TABLE leads ADD COLUMN a text;\n{AFTER}", step)
    assert fault.rule == "step"


SOUND = [
    ("expand", "ALTER TABLE leads ADD COLUMN a text"),
    ("expand", "ALTER TABLE leads ADD COLUMN a bigint DEFAULT 0 NOT NULL"),
    ("expand", "CREATE TABLE notes (id uuid PRIMARY KEY, lead_id uuid REFERENCES leads (id));"
               "CREATE INDEX i ON notes (lead_id)"),
    ("expand", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " UPDATE leads SET notes = ''; RETURN NULL; END $$"),
    ("expand", "-- few rows: nine standards\nUPDATE standards SET note = ''"),
    ("expand", "ALTER TABLE leads VALIDATE CONSTRAINT c"),
    ("contract", "ALTER TABLE leads DROP COLUMN notes"),
    ("contract", "DROP TABLE devices"),
    ("contract", "ALTER TABLE leads ADD CONSTRAINT c CHECK (headcount > 0) NOT VALID"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "statements"), SOUND)
def test_what_runs_beside_the_version_before_passes(step, statements):
    assert faults_of(f"{BEFORE}{statements};\n{AFTER}", step) == []


def test_every_migration_that_runs_beside_the_version_before_it_may(ctx):
    faults = [
        f"{script.revision} {each}"
        for script in scripts_after(LAST_AT_REST)
        for each in faults_of(statements_of(script), getattr(script.module, "step", None))
    ]
    assert not faults, "\n".join(faults)


AT_REST = {
    "require-concurrent-index-creation":
        "0003 0004 0007 0009 0010 0011 0012 0013 0014 0018 0019 0020 0021 0023 0029 0030 0035",
    "require-concurrent-index-deletion": "0005 0011 0014",
    "adding-foreign-key-constraint": "0014 0021",
    "constraint-missing-not-valid": "0014 0021 0032",
    "disallowed-unique-constraint": "0032",
    "rows-at-once": "0005 0006 0015 0020 0021 0027 0028 0031 0032",
}  # fmt: skip
"""What those break that landed before there was an installation to run beside: they hold a table
while it is read through or written anew. They are not edited, since where they run nothing else
does (`LAST_AT_REST`): an installation from before is stopped for them."""


def test_what_the_landed_ones_break_is_known(ctx):
    found = {}
    for script in scripts_after(None):
        if script.revision <= LAST_AT_REST:
            for rule in {each.rule for each in faults_of(statements_of(script), "contract")}:
                found.setdefault(rule, []).append(script.revision)
    for timeout in ("require-lock-timeout", "require-statement-timeout"):
        assert len(found.pop(timeout)) == int(LAST_AT_REST) - 1  # the first makes the tables
    assert {rule: " ".join(sorted(each)) for rule, each in found.items()} == AT_REST
