"""Businesses are asked what came of their requests, and providers answer reviews.

Comments that were given before were promised to be for administrators alone, and stay so. Requests
that run are asked about from now on; of what was chosen or closed by its business it is known.
"""

from alembic import op
import sqlalchemy as sa

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None

STATE = sa.Enum('shown', 'queued', 'hidden', name='reviewstate', native_enum=False, length=40)
WAITS = "state = 'queued' OR (reported_at IS NOT NULL AND decided_at IS NULL)"


def upgrade() -> None:
    for column in (
        sa.Column('outcome_due_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('outcome', sa.Enum('awarded', 'other_provider', 'not_now', 'none_suited', name='outcome', native_enum=False, length=40), nullable=True),
        sa.Column('outcome_invitation_id', sa.Uuid(), nullable=True),
        sa.Column('outcome_reason', sa.Enum('price', 'timing', 'fit', 'clarity', 'contact', 'budget', 'priorities', 'other', name='outcomereason', native_enum=False, length=40), nullable=True),
        sa.Column('outcome_comment', sa.Text(), nullable=True),
        sa.Column('outcome_at', sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column('leads', column)
    op.execute("""
        UPDATE leads SET outcome = 'awarded', outcome_invitation_id = awarded_invitation_id,
               outcome_at = finished_at
        WHERE state = 'awarded'
    """)
    op.execute("""
        UPDATE leads SET outcome_at = finished_at,
               outcome = CASE finish_reason WHEN 'too_expensive' THEN 'none_suited' ELSE finish_reason END,
               outcome_reason = CASE finish_reason WHEN 'too_expensive' THEN 'price' END
        WHERE state = 'closed' AND erased_at IS NULL
          AND finish_reason IN ('other_provider', 'not_now', 'none_suited', 'too_expensive')
    """)
    op.execute("""
        UPDATE leads SET outcome_due_at = interval '7 days' + coalesce(
            (SELECT min(quoted_at) FROM invitations WHERE lead_id = leads.id), opened_at)
        WHERE state = 'open'
    """)
    op.create_index(
        'ix_leads_to_ask', 'leads', ['outcome_due_at'],
        postgresql_where=sa.text('outcome_due_at IS NOT NULL'),
    )
    op.create_check_constraint(
        op.f('ck_leads_outcome_names_one'), 'leads',
        "(coalesce(outcome, '') = 'awarded') = (outcome_invitation_id IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f('ck_leads_asked_until_it_is_told'), 'leads',
        'outcome IS NULL OR outcome_due_at IS NULL',
    )

    op.add_column('reviews', sa.Column('comment_is_private', sa.Boolean(), server_default='true', nullable=False))
    op.add_column('reviews', sa.Column('state', STATE, server_default='shown', nullable=False))
    for column in _moderation():
        op.add_column('reviews', column)
    op.create_foreign_key(op.f('fk_reviews_decided_by_users'), 'reviews', 'users', ['decided_by'], ['id'])
    op.create_index(
        'ix_reviews_shown', 'reviews', ['provider_id', 'id'],
        postgresql_where=sa.text("state = 'shown'"),
    )
    op.create_index('ix_reviews_undecided', 'reviews', ['id'], postgresql_where=sa.text(WAITS))

    op.create_table(
        'review_replies',
        sa.Column('review_id', sa.Uuid(), nullable=False),
        sa.Column('text', sa.Text(), nullable=True),
        sa.Column('written_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('state', STATE, nullable=False),
        *_moderation(),
        sa.ForeignKeyConstraint(['review_id'], ['reviews.id'], name=op.f('fk_review_replies_review_id_reviews')),
        sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_review_replies_decided_by_users')),
        sa.PrimaryKeyConstraint('review_id', name=op.f('pk_review_replies')),
    )
    op.create_index(
        'ix_review_replies_undecided', 'review_replies', ['review_id'],
        postgresql_where=sa.text(WAITS),
    )


def _moderation() -> list[sa.Column]:
    return [
        sa.Column('doubts', sa.ARRAY(sa.Text()), server_default='{}', nullable=False),
        sa.Column('reported_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('report', sa.Text(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('decided_by', sa.Uuid(), nullable=True),
        sa.Column('decision_reason', sa.Text(), nullable=True),
    ]


def downgrade() -> None:
    op.drop_table('review_replies')
    op.drop_index('ix_reviews_undecided', table_name='reviews')
    op.drop_index('ix_reviews_shown', table_name='reviews')
    op.drop_constraint(op.f('fk_reviews_decided_by_users'), 'reviews', type_='foreignkey')
    for column in (
        'decision_reason', 'decided_by', 'decided_at', 'report', 'reported_at', 'doubts', 'state',
        'comment_is_private',
    ):
        op.drop_column('reviews', column)
    op.execute("DELETE FROM notifications WHERE link_purpose = 'outcome'")
    op.execute("DELETE FROM links WHERE purpose = 'outcome'")
    op.drop_constraint(op.f('ck_leads_asked_until_it_is_told'), 'leads', type_='check')
    op.drop_constraint(op.f('ck_leads_outcome_names_one'), 'leads', type_='check')
    op.drop_index('ix_leads_to_ask', table_name='leads')
    for column in (
        'outcome_at', 'outcome_comment', 'outcome_reason', 'outcome_invitation_id', 'outcome',
        'outcome_due_at',
    ):
        op.drop_column('leads', column)
