"""Coverage turned inside out, kept by a trigger."""

from alembic import op
import sqlalchemy as sa

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

ENTRIES = """
    SELECT DISTINCT region, standard, c.kind, c.shuffle, c.provider_id
    FROM {source} c,
         unnest(c.regions || CASE WHEN c.remote THEN ARRAY['*'] ELSE '{{}}'::text[] END) AS region,
         unnest(c.standards) AS standard
    WHERE c.state = 'verified'
"""


def upgrade() -> None:
    op.create_table(
        'coverage_entries',
        sa.Column('region', sa.Text(), nullable=False),
        sa.Column('standard', sa.Text(), nullable=False),
        sa.Column('kind', sa.Enum('consultant', 'certification_body', name='providerkind', native_enum=False, length=40), nullable=False),
        sa.Column('shuffle', sa.Integer(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(['provider_id'], ['coverage.provider_id'], name=op.f('fk_coverage_entries_provider_id_coverage'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('region', 'standard', 'kind', 'shuffle', 'provider_id', name=op.f('pk_coverage_entries')),
    )
    op.execute("INSERT INTO coverage_entries (region, standard, kind, shuffle, provider_id)" + ENTRIES.format(source="coverage"))
    op.create_index(op.f('ix_coverage_entries_provider_id'), 'coverage_entries', ['provider_id'], unique=False)
    op.execute(
        f"""
        CREATE FUNCTION enter_coverage() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                DELETE FROM coverage_entries WHERE provider_id = NEW.provider_id;
            END IF;
            INSERT INTO coverage_entries (region, standard, kind, shuffle, provider_id)
            {ENTRIES.format(source="(SELECT NEW.*)")};
            RETURN NULL;
        END $$;
        CREATE TRIGGER enter_new_coverage AFTER INSERT ON coverage
            FOR EACH ROW EXECUTE FUNCTION enter_coverage();
        CREATE TRIGGER enter_changed_coverage AFTER UPDATE ON coverage
            FOR EACH ROW
            WHEN (
                (OLD.state, OLD.kind, OLD.shuffle, OLD.remote, OLD.standards, OLD.regions)
                IS DISTINCT FROM
                (NEW.state, NEW.kind, NEW.shuffle, NEW.remote, NEW.standards, NEW.regions)
            )
            EXECUTE FUNCTION enter_coverage();
        """  # nosec B608  # our own names
    )
    op.drop_index('ix_coverage_shuffle', table_name='coverage')


def downgrade() -> None:
    op.create_index('ix_coverage_shuffle', 'coverage', ['kind', 'shuffle'], unique=False, postgresql_where=sa.text("state = 'verified'"))
    op.execute(
        "DROP TRIGGER enter_new_coverage ON coverage; DROP TRIGGER enter_changed_coverage ON coverage;"
        "DROP FUNCTION enter_coverage()"
    )
    op.drop_table('coverage_entries')
