"""Why an invitation was taken back, and which notice of an accreditation's end was given."""

from alembic import op
import sqlalchemy as sa

revision = '0011'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('invitations', sa.Column('withdrawn_because', sa.Text(), nullable=True))
    op.add_column('accreditations', sa.Column('expiry_told', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('accreditations', 'expiry_told')
    op.drop_column('invitations', 'withdrawn_because')
