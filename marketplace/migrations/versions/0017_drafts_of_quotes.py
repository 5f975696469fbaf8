"""What a provider has typed of a quote and not sent yet."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'quote_drafts',
        sa.Column('invitation_id', sa.Uuid(), nullable=False),
        sa.Column('typed', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('saved_as', sa.Uuid(), nullable=False),
        sa.CheckConstraint('octet_length(typed::text) <= 2097152', name=op.f('ck_quote_drafts_typed_is_bounded')),
        sa.ForeignKeyConstraint(['invitation_id'], ['invitations.id'], name=op.f('fk_quote_drafts_invitation_id_invitations')),
        sa.PrimaryKeyConstraint('invitation_id', name=op.f('pk_quote_drafts')),
    )


def downgrade() -> None:
    op.drop_table('quote_drafts')
