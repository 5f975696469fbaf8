"""Who read the contact of a request stands in the log once a day for each reader and request."""

from alembic import op
import sqlalchemy as sa

revision = '0035'
down_revision = '0034'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Over none of the rows that there are: it looks at each once, while writers wait.
    op.create_index(
        'uq_events_contact_read',
        'events',
        [
            'subject_id',
            'actor_kind',
            sa.literal_column("coalesce(actor_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            sa.literal_column("(facts ->> 'day')"),
        ],
        unique=True,
        postgresql_where=sa.text("verb = 'lead.contact_read'"),
    )


def downgrade() -> None:
    op.drop_index('uq_events_contact_read', table_name='events')
