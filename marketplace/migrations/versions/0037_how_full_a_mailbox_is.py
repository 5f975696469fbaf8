"""The database counts what a mailbox got, behind the lock of that mailbox.

A statement sees what was committed before it began, so before it waited for a lock. Each statement
of a volatile function sees what was committed before that one (PostgreSQL's manual, 38.7): so one
statement can lock, look and write, which took three.
"""

from alembic import op

revision = '0037'
down_revision = '0036'
branch_labels = None
depends_on = None
step = 'expand'


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION mailbox_is_full(
            whose text, templates text[], but uuid,
            an_hour_ago timestamptz, per_hour integer,
            a_day_ago timestamptz, per_day integer, anyway integer
        ) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
        DECLARE
            in_hour integer;
            in_day integer;
        BEGIN
            IF whose IS NULL THEN
                RETURN false;
            END IF;
            PERFORM pg_advisory_xact_lock(hashtextextended('mailbox ' || whose, 0));
            SELECT count(*) FILTER (WHERE created_at > an_hour_ago), count(*)
                INTO in_hour, in_day
                FROM notifications
                WHERE mailbox = whose AND template = ANY (templates) AND id <> but
                    AND created_at > a_day_ago AND state <> 'suppressed';
            RETURN in_hour >= per_hour OR (in_day >= per_day AND in_hour >= anyway);
        END $$
        """
    )


def downgrade() -> None:
    op.execute(
        'DROP FUNCTION mailbox_is_full('
        'text, text[], uuid, timestamptz, integer, timestamptz, integer, integer)'
    )
