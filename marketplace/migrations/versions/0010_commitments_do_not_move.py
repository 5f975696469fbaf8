"""What a commitment promised does not move, and reports find those that were decided in a time."""

from alembic import op
import sqlalchemy as sa

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_move_of_commitments() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a commitment does not move';
        END $$;
        CREATE TRIGGER commitments_do_not_move BEFORE UPDATE ON commitments FOR EACH ROW
            WHEN ((OLD.lead_id, OLD.started_at, OLD.at_risk_at, OLD.due_at, OLD.calendar, OLD.policy)
                IS DISTINCT FROM
                (NEW.lead_id, NEW.started_at, NEW.at_risk_at, NEW.due_at, NEW.calendar, NEW.policy))
            EXECUTE FUNCTION refuse_move_of_commitments();
        """
    )
    op.create_index(
        'ix_commitments_decided', 'commitments',
        [sa.text('LEAST(first_response_at, settled_at, due_at)')],
    )


def downgrade() -> None:
    op.drop_index('ix_commitments_decided', table_name='commitments')
    op.execute(
        "DROP TRIGGER commitments_do_not_move ON commitments; DROP FUNCTION refuse_move_of_commitments()"
    )
