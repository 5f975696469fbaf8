"""A quote can bring PDF files, and each version of it says which."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'attachments',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('invitation_id', sa.Uuid(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('digest', sa.LargeBinary(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            'size > 0 AND size = octet_length(content)', name=op.f('ck_attachments_size_is_that_of_its_content')
        ),
        sa.ForeignKeyConstraint(['invitation_id'], ['invitations.id'], name=op.f('fk_attachments_invitation_id_invitations')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_attachments')),
        sa.UniqueConstraint('invitation_id', 'digest', name=op.f('uq_attachments_invitation_id_digest')),
    )
    op.add_column('quotes', sa.Column('attachment_ids', postgresql.ARRAY(sa.Uuid()), server_default='{}', nullable=False))


def downgrade() -> None:
    op.drop_column('quotes', 'attachment_ids')
    op.drop_table('attachments')
