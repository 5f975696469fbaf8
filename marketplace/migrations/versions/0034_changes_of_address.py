"""Another address that somebody wants to sign in by."""

from alembic import op
import sqlalchemy as sa

revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'email_changes',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('old_confirmed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('new_confirmed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('stopped_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_email_changes_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_email_changes')),
    )
    op.create_index(
        'uq_email_changes_open', 'email_changes', ['user_id'], unique=True,
        postgresql_where=sa.text('done_at IS NULL AND stopped_at IS NULL'),
    )


def downgrade() -> None:
    op.drop_table('email_changes')
