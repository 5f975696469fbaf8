"""Withdrawals and why, notices of an accreditation's end, the inbox, and known devices."""

from alembic import op
import sqlalchemy as sa

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('invitations', sa.Column('withdrawn_because', sa.Text(), nullable=True))
    op.add_column('accreditations', sa.Column('expiry_told', sa.Text(), nullable=True))
    op.add_column('notifications', sa.Column('provider_id', sa.Uuid(), nullable=True))
    op.add_column('notifications', sa.Column('read_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        'known_devices',
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('mark_hash', sa.LargeBinary(), nullable=False),
        sa.Column('first_used_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['user_id'], ['users.id'], name=op.f('fk_known_devices_user_id_users')
        ),
        sa.PrimaryKeyConstraint('user_id', 'mark_hash', name=op.f('pk_known_devices')),
    )
    op.create_index(
        'ix_notifications_inbox', 'notifications', ['provider_id', 'id'],
        postgresql_where=sa.text('provider_id IS NOT NULL'),
    )


def downgrade() -> None:
    op.drop_table('known_devices')
    op.drop_index('ix_notifications_inbox', table_name='notifications')
    op.drop_column('notifications', 'read_at')
    op.drop_column('notifications', 'provider_id')
    op.drop_column('accreditations', 'expiry_told')
    op.drop_column('invitations', 'withdrawn_because')
