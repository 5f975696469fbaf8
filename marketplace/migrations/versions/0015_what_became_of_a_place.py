"""Letters about a lapse say what became of the place; those written before were all of one kind."""

from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        UPDATE notifications SET values = values || '{"then": "passed_on", "is_miss": true}'
        WHERE template IN ('invitation_released', 'invitation_expired')
          AND values <> '{}' AND NOT values ? 'then'
        """
    )


def downgrade() -> None:
    op.execute(
        """
        UPDATE notifications SET values = values - 'then' - 'is_miss'
        WHERE template IN ('invitation_released', 'invitation_expired')
        """
    )
