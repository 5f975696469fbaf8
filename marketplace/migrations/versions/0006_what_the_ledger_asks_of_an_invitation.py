"""What the fairness ledger asks of an invitation, and of a run."""

from alembic import op
import sqlalchemy as sa

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('invitations', sa.Column('released_at', sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE invitations SET released_at = ended_at WHERE state = 'released'")
    op.add_column('matching_runs', sa.Column('by_hand_because', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('matching_runs', 'by_hand_because')
    op.drop_column('invitations', 'released_at')
