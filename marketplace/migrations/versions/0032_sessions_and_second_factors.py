"""Sessions that can be told apart and listed; sealed second factors, and recovery codes."""

from alembic import op
import sqlalchemy as sa

revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        # The default comes after the column, so that the table is not written anew.
        sa.Column('id', sa.Uuid(), nullable=True),
        sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('device', sa.Text(), nullable=True),
        sa.Column('network', sa.Text(), nullable=True),
    ):
        op.add_column('sign_ins', column)
    op.alter_column('sign_ins', 'id', server_default=sa.text('gen_random_uuid()'))
    op.execute('UPDATE sign_ins SET id = gen_random_uuid() WHERE ended_at IS NULL AND expires_at > now()')
    op.create_unique_constraint(op.f('uq_sign_ins_id'), 'sign_ins', ['id'])
    op.add_column('users', sa.Column('totp_sealed', sa.LargeBinary(), nullable=True))
    op.create_table(
        'recovery_codes',
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('code_hash', sa.LargeBinary(), nullable=False),
        sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recovery_codes_user_id_users')),
        sa.PrimaryKeyConstraint('user_id', 'code_hash', name=op.f('pk_recovery_codes')),
    )


def downgrade() -> None:
    op.drop_table('recovery_codes')
    op.drop_column('users', 'totp_sealed')
    op.drop_constraint(op.f('uq_sign_ins_id'), 'sign_ins')
    for name in ('network', 'device', 'proved_at', 'last_used_at', 'id'):
        op.drop_column('sign_ins', name)
