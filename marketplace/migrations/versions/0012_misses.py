"""What providers let lapse, and the pause that follows when it is too much.

The record begins here: nobody was told at how many misses a provider is paused before.
"""

from alembic import op
import sqlalchemy as sa

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'misses',
        sa.Column('invitation_id', sa.Uuid(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('kind', sa.Enum('released', 'expired', name='misskind', native_enum=False, length=40), nullable=False),
        sa.Column('objected_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('objection', sa.Text(), nullable=True),
        sa.Column('struck_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('struck_by', sa.Uuid(), nullable=True),
        sa.Column('strike_reason', sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(['invitation_id'], ['invitations.id'], name=op.f('fk_misses_invitation_id_invitations')),
        sa.ForeignKeyConstraint(['provider_id'], ['providers.id'], name=op.f('fk_misses_provider_id_providers')),
        sa.ForeignKeyConstraint(['struck_by'], ['users.id'], name=op.f('fk_misses_struck_by_users')),
        sa.PrimaryKeyConstraint('invitation_id', name=op.f('pk_misses')),
    )
    op.create_index('ix_misses_provider', 'misses', ['provider_id', 'at'])
    op.create_index(
        'ix_misses_to_decide', 'misses', ['invitation_id'],
        postgresql_where=sa.text('objected_at IS NOT NULL AND struck_at IS NULL'),
    )
    op.add_column('providers', sa.Column('came_back_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('pauses', sa.Column('reason', sa.Enum('repeated_misses', name='pausereason', native_enum=False, length=40), nullable=True))
    op.alter_column('pauses', 'ends_at', nullable=True)
    op.create_index(
        'uq_pauses_for_misses', 'pauses', ['provider_id'], unique=True,
        postgresql_where=sa.text("reason = 'repeated_misses'"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE link_purpose = 'back'")
    op.execute("DELETE FROM links WHERE purpose = 'back'")
    op.drop_index('uq_pauses_for_misses', table_name='pauses')
    op.execute("DELETE FROM pauses WHERE reason IS NOT NULL OR ends_at IS NULL")
    op.alter_column('pauses', 'ends_at', nullable=False)
    op.drop_column('pauses', 'reason')
    op.drop_column('providers', 'came_back_at')
    op.drop_table('misses')
