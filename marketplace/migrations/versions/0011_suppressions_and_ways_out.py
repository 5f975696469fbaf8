"""Addresses that get no mail, and which way a message goes out: by mail or to a webhook."""

from alembic import op
import sqlalchemy as sa

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'suppressions',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.Column(
            'reason',
            sa.Enum(
                'hard_bounce', 'spam_report', 'by_hand', name='suppressionreason',
                native_enum=False, length=40,
            ),
            nullable=False,
        ),
        sa.Column('since', sa.DateTime(timezone=True), nullable=False),
        sa.Column('notification_id', sa.Uuid(), nullable=True),
        sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('lifted_because', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_suppressions')),
        sa.UniqueConstraint('notification_id', name=op.f('uq_suppressions_notification_id')),
    )
    op.create_index(
        'uq_suppressions_address_in_force', 'suppressions', ['address'], unique=True,
        postgresql_where=sa.text('lifted_at IS NULL'),
    )


    op.add_column(
        'notifications',
        sa.Column(
            'channel',
            sa.Enum('email', 'webhook', name='way', native_enum=False, length=40),
            nullable=False,
            server_default='email',
        ),
    )
    op.drop_index('ix_notifications_due', table_name='notifications')
    op.create_index(
        'ix_notifications_due', 'notifications', ['channel', 'next_attempt_at'],
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.create_index(
        'ix_notifications_calls', 'notifications', ['recipient', 'id'],
        postgresql_where=sa.text("channel = 'webhook'"),
    )
    op.drop_constraint(op.f('ck_mail_pauses_only_email_so_far'), 'mail_pauses', type_='check')
    op.create_table(
        'webhooks',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('sealed_secret', sa.LargeBinary(), nullable=False),
        sa.Column('enabled', sa.Boolean(), nullable=False),
        sa.Column('switched_off_because', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['provider_id'], ['providers.id'], name=op.f('fk_webhooks_provider_id_providers')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
        sa.UniqueConstraint('provider_id', name=op.f('uq_webhooks_provider_id')),
    )


def downgrade() -> None:
    op.drop_table('webhooks')
    op.execute("DELETE FROM mail_pauses WHERE channel <> 'email'")
    op.create_check_constraint(
        op.f('ck_mail_pauses_only_email_so_far'), 'mail_pauses', "channel = 'email'"
    )
    op.execute("DELETE FROM notifications WHERE channel <> 'email'")
    op.drop_index('ix_notifications_calls', table_name='notifications')
    op.drop_index('ix_notifications_due', table_name='notifications')
    op.create_index(
        'ix_notifications_due', 'notifications', ['next_attempt_at'],
        postgresql_where=sa.text("state IN ('queued', 'sending')"),
    )
    op.drop_column('notifications', 'channel')
    op.drop_table('suppressions')
