"""Whom the people of a provider have invited, and what administrators find things by."""

from alembic import op
import sqlalchemy as sa

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

WORDS = (
    r"array_to_tsvector(array_remove(regexp_split_to_array(lower({0}), '[\s!-/:-@[-`{{-~]+'), ''))"
)
LEAD = (
    "reference || ' ' || company_name || ' ' || contact_email || ' ' || coalesce(website, '')"
    " || ' ' || coalesce(registration_number, '')"
)
PROVIDER = (
    "name || ' ' || contact_email || ' ' || coalesce(website, '')"
    " || ' ' || coalesce(registration_number, '')"
)


def upgrade() -> None:
    op.create_table(
        'team_invitations',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('provider_id', sa.Uuid(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('invited_by', sa.Uuid(), nullable=False),
        sa.Column('invited_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['provider_id'], ['providers.id'], name=op.f('fk_team_invitations_provider_id_providers')),
        sa.ForeignKeyConstraint(['invited_by'], ['users.id'], name=op.f('fk_team_invitations_invited_by_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_team_invitations')),
        sa.UniqueConstraint('provider_id', 'email', name=op.f('uq_team_invitations_provider_id_email')),
    )
    op.create_index(
        'ix_leads_words', 'leads', [sa.text(WORDS.format(LEAD))],
        postgresql_using='gin', postgresql_where=sa.text('erased_at IS NULL'),
    )
    op.create_index(
        'ix_providers_words', 'providers', [sa.text(WORDS.format(PROVIDER))],
        postgresql_using='gin',
    )
    op.create_index(
        'ix_accreditations_certificate', 'accreditations', [sa.text('lower(certificate_number)')]
    )
    op.create_index(
        'ix_notifications_not_arrived', 'notifications', ['id'],
        postgresql_where=sa.text(
            "channel = 'email' AND state IN ('failed', 'bounced', 'dropped', 'suppressed')"
        ),
    )


def downgrade() -> None:
    op.drop_index('ix_notifications_not_arrived', table_name='notifications')
    op.drop_index('ix_accreditations_certificate', table_name='accreditations')
    op.drop_index('ix_providers_words', table_name='providers')
    op.drop_index('ix_leads_words', table_name='leads')
    op.execute("DELETE FROM notifications WHERE link_purpose = 'join'")
    op.execute("DELETE FROM links WHERE purpose = 'join'")
    op.drop_table('team_invitations')
