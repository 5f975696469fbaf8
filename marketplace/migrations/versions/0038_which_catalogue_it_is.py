"""What a form is checked against has a name, which changes with it.

So a process may keep what the catalogue says, and whatever writes by that can see to it that it
still says so.
"""

from alembic import op
import sqlalchemy as sa

revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None
step = 'expand'


def upgrade() -> None:
    op.create_table('catalogue_version', sa.Column('version', sa.Uuid(), nullable=False))
    op.execute(
        """
        CREATE FUNCTION rename_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE catalogue_version SET version = gen_random_uuid();
            RETURN NULL;
        END $$;
        CREATE TRIGGER standards_rename_the_catalogue
            AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON standards
            FOR EACH STATEMENT EXECUTE FUNCTION rename_catalogue();
        CREATE TRIGGER regions_rename_the_catalogue
            AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON regions
            FOR EACH STATEMENT EXECUTE FUNCTION rename_catalogue();
        CREATE TRIGGER sectors_rename_the_catalogue
            AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sectors
            FOR EACH STATEMENT EXECUTE FUNCTION rename_catalogue();
        """
    )
    op.execute("INSERT INTO catalogue_version VALUES (gen_random_uuid())")


def downgrade() -> None:
    op.execute(
        """
        DROP TRIGGER standards_rename_the_catalogue ON standards;
        DROP TRIGGER regions_rename_the_catalogue ON regions;
        DROP TRIGGER sectors_rename_the_catalogue ON sectors;
        DROP FUNCTION rename_catalogue();
        """
    )
    op.drop_table('catalogue_version')
