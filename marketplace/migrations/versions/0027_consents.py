"""Consents in a table of their own, append-only; those kept until now are carried over."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'consents',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('subject_kind', sa.Enum('lead', 'provider', 'user', name='whose', native_enum=False, length=40), nullable=False),
        sa.Column('subject_id', sa.Uuid(), nullable=False),
        sa.Column('agreed', sa.Enum('share_with_matched_providers', 'reminders', 'review_shown', 'provider_terms', name='agreed', native_enum=False, length=40), nullable=False),
        sa.Column('version', sa.Text(), nullable=False),
        sa.Column('words', sa.Text(), nullable=True),
        sa.Column('numbers', postgresql.JSONB(), nullable=False),
        sa.Column('is_withdrawal', sa.Boolean(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('door', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_consents')),
    )
    # Before anybody writes here: what stood as JSON beside each request and each certificate. Which
    # words and numbers were shown then, nobody wrote down; by which door, of reminders alone.
    op.execute(
        """
        INSERT INTO consents (id, subject_kind, subject_id, agreed, version, numbers,
                              is_withdrawal, at, door, address)
        SELECT gen_random_uuid(), 'lead', id, 'share_with_matched_providers',
               coalesce(consent ->> 'terms_version', '-'), '{}', false,
               coalesce((consent ->> 'at')::timestamptz, created_at),
               CASE WHEN source IS NULL THEN 'form' ELSE 'embed' END, consent ->> 'address'
        FROM leads;
        INSERT INTO consents (id, subject_kind, subject_id, agreed, version, numbers,
                              is_withdrawal, at, door, address)
        SELECT gen_random_uuid(), 'lead', lead_id, 'reminders', coalesce(consent ->> 'wording', '-'), '{}',
               false, coalesce((consent ->> 'at')::timestamptz, created_at),
               coalesce(consent ->> 'door', '-'), consent ->> 'address'
        FROM certificates;
        """
    )
    op.create_index('ix_consents_subject_id_id', 'consents', ['subject_id', 'id'])
    op.execute(
        """
        CREATE FUNCTION refuse_change_of_consents() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'address' = to_jsonb(OLD) - 'address'
               AND (NEW.address IS NULL OR NEW.address IS NOT DISTINCT FROM OLD.address
                    OR (NEW.address LIKE '%/%' AND OLD.address::inet <<= NEW.address::cidr)) THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'consents are append-only';
        END $$;
        CREATE TRIGGER consents_are_append_only BEFORE UPDATE OR DELETE ON consents
            FOR EACH ROW EXECUTE FUNCTION refuse_change_of_consents();
        CREATE TRIGGER consents_are_not_emptied BEFORE TRUNCATE ON consents
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_consents();
        """
    )


def downgrade() -> None:
    # What was agreed since stands beside requests and certificates as well; that of providers goes.
    op.drop_table('consents')
    op.execute('DROP FUNCTION refuse_change_of_consents()')
