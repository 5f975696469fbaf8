"""A message remembers which request caused it."""

from alembic import op
import sqlalchemy as sa

revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None
step = 'expand'


def upgrade() -> None:
    op.add_column('notifications', sa.Column('request_id', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('notifications', 'request_id')
