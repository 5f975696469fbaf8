"""Better fit, and a sampled funnel."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('coverage', sa.Column('weeks_to_start', sa.Integer(), nullable=True))
    op.add_column('coverage', sa.Column('languages', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False))
    op.create_index('ix_coverage_sample', 'coverage', ['shuffle'], unique=False)
    op.add_column('leads', sa.Column('language', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('leads', 'language')
    op.drop_index('ix_coverage_sample', table_name='coverage')
    op.drop_column('coverage', 'languages')
    op.drop_column('coverage', 'weeks_to_start')
