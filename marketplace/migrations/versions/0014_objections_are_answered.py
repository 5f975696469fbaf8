"""An objection that does not convince is answered too, and leaves the list of those to decide."""

from alembic import op
import sqlalchemy as sa

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('misses', sa.Column('upheld_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('misses', sa.Column('upheld_by', sa.Uuid(), nullable=True))
    op.add_column('misses', sa.Column('uphold_reason', sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f('fk_misses_upheld_by_users'), 'misses', 'users', ['upheld_by'], ['id']
    )
    op.create_index(
        'ix_misses_undecided', 'misses', ['invitation_id'],
        postgresql_where=sa.text(
            'objected_at IS NOT NULL AND struck_at IS NULL AND upheld_at IS NULL'
        ),
    )
    op.drop_index('ix_misses_to_decide', table_name='misses')


def downgrade() -> None:
    op.create_index(
        'ix_misses_to_decide', 'misses', ['invitation_id'],
        postgresql_where=sa.text('objected_at IS NOT NULL AND struck_at IS NULL'),
    )
    op.drop_index('ix_misses_undecided', table_name='misses')
    op.drop_constraint(op.f('fk_misses_upheld_by_users'), 'misses', type_='foreignkey')
    op.drop_column('misses', 'uphold_reason')
    op.drop_column('misses', 'upheld_by')
    op.drop_column('misses', 'upheld_at')
