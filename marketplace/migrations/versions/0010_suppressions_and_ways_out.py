"""Addresses that get no mail, and which way a message goes out: by mail or to a webhook."""

from alembic import op
import sqlalchemy as sa

revision = '0010'
down_revision = '0007'
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


def downgrade() -> None:
    op.drop_table('suppressions')
