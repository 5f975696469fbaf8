"""A question that the business leaves unanswered for long extends the windows of its request."""

from alembic import op
import sqlalchemy as sa

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        'invitations',
        sa.Column('extended_by', sa.Interval(), nullable=False, server_default=sa.text("'0'")),
    )
    op.add_column('questions', sa.Column('look_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        'ix_questions_to_look_at', 'questions', ['look_at'],
        postgresql_where=sa.text('look_at IS NOT NULL'),
    )
    # What waits for an answer already is looked at by the first sweep.
    op.execute("UPDATE questions SET look_at = asked_at WHERE answered_at IS NULL")
    op.execute(
        """
        UPDATE notifications SET values = values || '{"respond_by": null, "is_extended": false}'
        WHERE template = 'question_answered' AND values <> '{}' AND NOT values ? 'is_extended'
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_move_of_invitations() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the time to answer an invitation moves later alone, by an extension or as it comes back';
        END $$;
        CREATE TRIGGER invitations_move_later_alone
            BEFORE UPDATE OF respond_by, extended_by ON invitations FOR EACH ROW
            WHEN ((OLD.respond_by, OLD.extended_by) IS DISTINCT FROM (NEW.respond_by, NEW.extended_by)
                AND NOT (NEW.respond_by > OLD.respond_by AND NEW.extended_by > OLD.extended_by)
                AND NOT (OLD.state = 'released' AND NEW.state = 'opened'
                    AND NEW.respond_by >= OLD.respond_by AND NEW.extended_by = '0'))
            EXECUTE FUNCTION refuse_move_of_invitations();
        """
    )


def downgrade() -> None:
    op.execute(
        "DROP TRIGGER invitations_move_later_alone ON invitations;"
        " DROP FUNCTION refuse_move_of_invitations()"
    )
    op.execute(
        "UPDATE notifications SET values = values - 'respond_by' - 'is_extended'"
        " WHERE template = 'question_answered'"
    )
    op.drop_index('ix_questions_to_look_at', table_name='questions')
    op.drop_column('questions', 'look_at')
    op.drop_column('invitations', 'extended_by')
