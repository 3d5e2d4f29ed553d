"""How long everybody who speaks through one app of a network waits, and which app each account speaks through."""

from alembic import op
import sqlalchemy as sa

import hub.domain.table

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table('app_wait',
    sa.Column('app_key', sa.String(), nullable=False),
    sa.Column('not_before', hub.domain.table.Moment(timezone=True), nullable=True),
    sa.Column('slow_until', hub.domain.table.Moment(timezone=True), nullable=True),
    sa.Column('reads_not_before', hub.domain.table.Moment(timezone=True), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('app_key', name=op.f('pk_app_wait'))
    )
    # Plain additions: an old account speaks through its network's one app until its keys are given anew.
    op.add_column('account', sa.Column('slow_until', hub.domain.table.Moment(timezone=True), nullable=True))
    op.add_column('account', sa.Column('app_key', sa.String(), nullable=True))


def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.drop_column('app_key')
        batch_op.drop_column('slow_until')

    op.drop_table('app_wait')
