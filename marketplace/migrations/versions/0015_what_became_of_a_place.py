"""Letters say what became of a place, and until when an invitation has to be opened."""

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
    op.execute(
        """
        UPDATE notifications SET values = values || jsonb_build_object('open_by', i.open_by)
        FROM invitations i
        WHERE template = 'invitation' AND i.id = subject_id
          AND values <> '{}' AND NOT values ? 'open_by'
        """
    )


def downgrade() -> None:
    op.execute(
        "UPDATE notifications SET values = values - 'open_by' WHERE template = 'invitation'"
    )
    op.execute(
        """
        UPDATE notifications SET values = values - 'then' - 'is_miss'
        WHERE template IN ('invitation_released', 'invitation_expired')
        """
    )
