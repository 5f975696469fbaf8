"""The form may stand inside sites that an administrator has named; a lead says from which it came."""

from alembic import op
import sqlalchemy as sa

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('leads', sa.Column('source', sa.Text(), nullable=True))
    op.create_table(
        'embedding_sites',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('origin', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('added_by', sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ['added_by'], ['users.id'], name=op.f('fk_embedding_sites_added_by_users')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_embedding_sites')),
        sa.UniqueConstraint('origin', name=op.f('uq_embedding_sites_origin')),
    )


def downgrade() -> None:
    op.drop_table('embedding_sites')
    op.drop_column('leads', 'source')
