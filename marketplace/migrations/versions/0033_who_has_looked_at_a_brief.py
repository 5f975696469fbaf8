"""When the brief of an invitation was looked at first, by a person or by a program."""

from alembic import op
import sqlalchemy as sa

revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('invitations', sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('invitations', 'looked_at')
