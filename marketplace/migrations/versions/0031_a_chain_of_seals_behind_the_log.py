"""A chain of seals behind the log: what is written queues by itself, and seals are append-only.

The events that there are queue too, and are sealed in batches by the first runs of the sealer.
"""

from alembic import op
import sqlalchemy as sa

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'event_seals',
        sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('event_id', sa.Uuid(), nullable=False),
        sa.Column('form', sa.SmallInteger(), nullable=False),
        sa.Column('hash', sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint('seq', name=op.f('pk_event_seals')),
        sa.UniqueConstraint('event_id', name=op.f('uq_event_seals_event_id')),
    )
    # Without a key or an index: writers append to it and the sealer takes it from the front, so
    # that nobody waits for anybody.
    op.create_table('unsealed_events', sa.Column('event_id', sa.Uuid(), nullable=False))
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% are append-only', TG_TABLE_NAME;
        END $$;
        CREATE TRIGGER event_seals_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
            ON event_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

        CREATE FUNCTION queue_to_be_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO unsealed_events SELECT id FROM written;
            RETURN NULL;
        END $$;
        CREATE TRIGGER events_are_to_be_sealed AFTER INSERT ON events
            REFERENCING NEW TABLE AS written
            FOR EACH STATEMENT EXECUTE FUNCTION queue_to_be_sealed();
        """
    )
    # Creating the trigger waited for every writer and lets none in until this commits: so the
    # events are those before it, each once.
    op.execute("INSERT INTO unsealed_events SELECT id FROM events")


def downgrade() -> None:
    op.execute(
        """
        DROP TRIGGER events_are_to_be_sealed ON events;
        DROP FUNCTION queue_to_be_sealed();
        """
    )
    op.drop_table('unsealed_events')
    op.drop_table('event_seals')
    op.execute("DROP FUNCTION refuse_change()")
