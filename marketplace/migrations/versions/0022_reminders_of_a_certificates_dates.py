"""Certificates of whose dates businesses want to be reminded, and the mails about them."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'certificates',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('lead_id', sa.Uuid(), nullable=False),
        sa.Column('certified_on', sa.Date(), nullable=False),
        sa.Column('standards', postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column('editions', postgresql.JSONB(), nullable=False),
        sa.Column('contact_name', sa.Text(), nullable=False),
        sa.Column('contact_email', sa.Text(), nullable=False),
        sa.Column('time_zone', sa.Text(), nullable=False),
        sa.Column('form', postgresql.JSONB(), nullable=False),
        sa.Column('consent', postgresql.JSONB(), nullable=False),
        sa.Column('planned_under', postgresql.JSONB(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('forget_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('cardinality(standards) BETWEEN 1 AND 6', name=op.f('ck_certificates_one_to_six_standards')),
        sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_certificates_lead_id_leads')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_certificates')),
        sa.UniqueConstraint('lead_id', name=op.f('uq_certificates_lead_id')),
    )
    op.create_index('ix_certificates_contact', 'certificates', [sa.text('lower(contact_email)')])
    op.create_index('ix_certificates_to_forget', 'certificates', ['forget_at'])
    op.create_table(
        'certificate_reminders',
        sa.Column('id', sa.Uuid(), nullable=False),
        sa.Column('certificate_id', sa.Uuid(), nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('state', sa.Enum('waiting', 'sent', 'skipped', name='reminderstate', native_enum=False, length=40), nullable=False),
        sa.Column('about', postgresql.JSONB(), nullable=False),
        sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['certificate_id'], ['certificates.id'], name=op.f('fk_certificate_reminders_certificate_id_certificates'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_certificate_reminders')),
    )
    op.create_index('ix_certificate_reminders_certificate_id', 'certificate_reminders', ['certificate_id'])
    op.create_index(
        'ix_certificate_reminders_due', 'certificate_reminders', ['due_at'],
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE link_purpose IN ('again', 'dates')")
    op.execute("DELETE FROM links WHERE purpose IN ('again', 'dates')")
    op.drop_table('certificate_reminders')
    op.drop_table('certificates')
