"""The fairness ledger by month."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('credit_months',
    sa.Column('provider_id', sa.Uuid(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('eligible', sa.Integer(), nullable=False),
    sa.Column('entitled', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['provider_id'], ['providers.id'], name=op.f('fk_credit_months_provider_id_providers')),
    sa.PrimaryKeyConstraint('provider_id', 'month', name=op.f('pk_credit_months'))
    )
    op.add_column('credits', sa.Column('answered', sa.Double(), server_default='0', nullable=False))
    op.add_column('credits', sa.Column('missed', sa.Double(), server_default='0', nullable=False))
    op.add_column('credits', sa.Column('month', sa.Date(), nullable=True))
    op.add_column('credits', sa.Column('eligible', sa.Integer(), server_default='0', nullable=False))
    op.add_column('credits', sa.Column('entitled', sa.Double(), server_default='0', nullable=False))
    op.add_column('invitations', sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_invitations_unsettled', 'invitations', ['id'], unique=False, postgresql_where=sa.text("settled_at IS NULL AND state NOT IN ('sent', 'opened', 'accepted')"))
    op.add_column('leads', sa.Column('waiting_code', sa.Text(), nullable=True))
    op.add_column('matching_runs', sa.Column('clashes', postgresql.JSONB(astext_type=sa.Text()), server_default='[]', nullable=False))
    op.add_column('matching_runs', sa.Column('market', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index('ix_providers_name_start', 'providers', ['name_key'], unique=False, postgresql_ops={'name_key': 'text_pattern_ops'})
    op.create_index('ix_providers_name_words', 'providers', [sa.literal_column("string_to_array(name_key, ' ')")], unique=False, postgresql_using='gin')


def downgrade() -> None:
    op.drop_index('ix_providers_name_words', table_name='providers', postgresql_using='gin')
    op.drop_index('ix_providers_name_start', table_name='providers')
    op.drop_column('matching_runs', 'market')
    op.drop_column('matching_runs', 'clashes')
    op.drop_column('leads', 'waiting_code')
    op.drop_index('ix_invitations_unsettled', table_name='invitations', postgresql_where=sa.text("settled_at IS NULL AND state NOT IN ('sent', 'opened', 'accepted')"))
    op.drop_column('invitations', 'settled_at')
    op.drop_column('credits', 'entitled')
    op.drop_column('credits', 'eligible')
    op.drop_column('credits', 'month')
    op.drop_column('credits', 'missed')
    op.drop_column('credits', 'answered')
    op.drop_table('credit_months')
