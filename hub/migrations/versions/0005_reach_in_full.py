"""What a report reads: the roll-up by delivery and territory, pages and their plan, metrics, populations, what reading costs."""  # noqa: E501

from alembic import op
import sqlalchemy as sa

import hub.domain.table

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table('metric',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('network', sa.Enum('facebook', 'x', 'portal', name='accountnetwork', native_enum=False, length=24), nullable=False),
    sa.Column('subject', sa.Enum('post', 'page', name='subject', native_enum=False, length=24), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('period', sa.String(), nullable=False),
    sa.Column('unit', sa.Enum('people', 'views', 'impressions', 'clicks', 'reactions', 'arrivals', name='unit', native_enum=False, length=24), nullable=False),
    sa.Column('additive', sa.Boolean(), nullable=False),
    sa.Column('counted', sa.Boolean(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('replaces', sa.String(), nullable=True),
    sa.Column('definition', sa.Text(), nullable=False),
    sa.Column('definition_en', sa.Text(), nullable=False),
    sa.Column('origin', sa.Enum('shipped', 'local', name='origin', native_enum=False, length=24), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_metric')),
    sa.UniqueConstraint('network', 'subject', 'name', 'period', 'valid_from', name=op.f('uq_metric_network_subject_name_period_valid_from'))
    )
    op.create_table('population',
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.Column('cohort', sa.Enum('young', 'leavers', name='cohort', native_enum=False, length=24), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_population_territory_code')),
    sa.PrimaryKeyConstraint('territory_code', 'cohort', 'year', name=op.f('pk_population'))
    )
    op.create_table('page_figure',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('metric', sa.String(), nullable=False),
    sa.Column('period', sa.String(), nullable=False),
    sa.Column('dimension', sa.String(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('unit', sa.Enum('people', 'views', 'impressions', 'clicks', 'reactions', 'arrivals', name='unit', native_enum=False, length=24), nullable=False),
    sa.Column('value', sa.Integer(), nullable=True),
    sa.Column('missing', sa.String(), nullable=True),
    sa.Column('first_read_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.Column('last_read_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_page_figure_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'metric', 'period', 'dimension', 'day', name=op.f('pk_page_figure'))
    )
    op.create_table('page_plan',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('next_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_page_plan_account_id')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_page_plan'))
    )
    with op.batch_alter_table('page_plan', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_page_plan_next_at'), ['next_at'], unique=False)

    op.create_table('page_sample',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('metric', sa.String(), nullable=False),
    sa.Column('period', sa.String(), nullable=False),
    sa.Column('dimension', sa.String(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('unit', sa.Enum('people', 'views', 'impressions', 'clicks', 'reactions', 'arrivals', name='unit', native_enum=False, length=24), nullable=False),
    sa.Column('value', sa.Integer(), nullable=True),
    sa.Column('missing', sa.String(), nullable=True),
    sa.Column('read_on', sa.Date(), nullable=False),
    sa.Column('read_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_page_sample_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_page_sample')),
    sa.UniqueConstraint('account_id', 'metric', 'period', 'dimension', 'day', 'read_on', name=op.f('uq_page_sample_account_id_metric_period_dimension_day_read_on'))
    )
    op.create_table('reading_cost',
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('reads', sa.Integer(), nullable=False),
    sa.Column('micros', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_reading_cost_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'day', name=op.f('pk_reading_cost'))
    )
    # Filled by `relais init`, which counts again what is out already.
    op.create_table('reached',
    sa.Column('delivery_id', sa.Integer(), nullable=False),
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.Column('area', sa.String(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('week', sa.Date(), nullable=False),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('post_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('network', sa.String(), nullable=False),
    sa.Column('provenance', sa.String(), nullable=False),
    sa.Column('unlimited', sa.Boolean(), nullable=False),
    sa.Column('people', sa.BigInteger(), nullable=True),
    sa.Column('people_missing', sa.Integer(), nullable=False),
    sa.Column('views', sa.BigInteger(), nullable=True),
    sa.Column('views_missing', sa.Integer(), nullable=False),
    sa.Column('impressions', sa.BigInteger(), nullable=True),
    sa.Column('impressions_missing', sa.Integer(), nullable=False),
    sa.Column('clicks', sa.BigInteger(), nullable=True),
    sa.Column('clicks_missing', sa.Integer(), nullable=False),
    sa.Column('reactions', sa.BigInteger(), nullable=True),
    sa.Column('reactions_missing', sa.Integer(), nullable=False),
    sa.Column('arrivals', sa.BigInteger(), nullable=True),
    sa.Column('arrivals_missing', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_reached_delivery_id')),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_reached_territory_code')),
    sa.PrimaryKeyConstraint('delivery_id', 'territory_code', name=op.f('pk_reached'))
    )
    with op.batch_alter_table('reached', schema=None) as batch_op:
        batch_op.create_index('ix_reached_day_area', ['day', 'area'], unique=False)

    op.create_table('reached_day',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('area', sa.String(), nullable=False),
    sa.Column('network', sa.String(), nullable=False),
    sa.Column('provenance', sa.String(), nullable=False),
    sa.Column('week', sa.Date(), nullable=False),
    sa.Column('deliveries', sa.Integer(), nullable=False),
    sa.Column('people', sa.BigInteger(), nullable=True),
    sa.Column('people_known', sa.Integer(), nullable=False),
    sa.Column('people_missing', sa.Integer(), nullable=False),
    sa.Column('views', sa.BigInteger(), nullable=True),
    sa.Column('views_known', sa.Integer(), nullable=False),
    sa.Column('views_missing', sa.Integer(), nullable=False),
    sa.Column('impressions', sa.BigInteger(), nullable=True),
    sa.Column('impressions_known', sa.Integer(), nullable=False),
    sa.Column('impressions_missing', sa.Integer(), nullable=False),
    sa.Column('clicks', sa.BigInteger(), nullable=True),
    sa.Column('clicks_known', sa.Integer(), nullable=False),
    sa.Column('clicks_missing', sa.Integer(), nullable=False),
    sa.Column('reactions', sa.BigInteger(), nullable=True),
    sa.Column('reactions_known', sa.Integer(), nullable=False),
    sa.Column('reactions_missing', sa.Integer(), nullable=False),
    sa.Column('arrivals', sa.BigInteger(), nullable=True),
    sa.Column('arrivals_known', sa.Integer(), nullable=False),
    sa.Column('arrivals_missing', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('day', 'area', 'network', 'provenance', name=op.f('pk_reached_day'))
    )

    # Its columns begin the unique index.
    with op.batch_alter_table('sample', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sample_delivery_id'))



def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table('sample', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sample_delivery_id'), ['delivery_id'], unique=False)

    with op.batch_alter_table('reached', schema=None) as batch_op:
        batch_op.drop_index('ix_reached_day_area')

    op.drop_table('reached_day')
    op.drop_table('reached')
    op.drop_table('reading_cost')
    op.drop_table('page_sample')
    with op.batch_alter_table('page_plan', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_page_plan_next_at'))

    op.drop_table('page_plan')
    op.drop_table('page_figure')
    op.drop_table('population')
    op.drop_table('metric')
