"""How often runs for a lead saw and came to the very same, and when last."""

from alembic import op
import sqlalchemy as sa

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('matching_runs', sa.Column('times', sa.Integer(), server_default='1', nullable=False))
    op.add_column('matching_runs', sa.Column('last_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('matching_runs', 'last_at')
    op.drop_column('matching_runs', 'times')
