"""Places that receive young people: kinds, places, their sectors, the open days that sources tell, visits of areas."""

from alembic import op
import sqlalchemy as sa


import hub.domain.table

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table('place_type',
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('plural', sa.String(), nullable=False),
    sa.Column('does', sa.Text(), nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('has_sectors', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_place_type'))
    )
    op.create_table('area_visit',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.Column('page', sa.String(length=24), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_area_visit_territory_code')),
    sa.PrimaryKeyConstraint('day', 'territory_code', 'page', name=op.f('pk_area_visit'))
    )
    op.create_table('place',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('source_id', sa.String(), nullable=False),
    sa.Column('type_code', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('postcode', sa.String(length=5), nullable=False),
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.Column('lat', sa.Float(), nullable=True),
    sa.Column('lon', sa.Float(), nullable=True),
    sa.Column('point', sa.String(), nullable=False),
    sa.Column('phone', sa.String(), nullable=False),
    sa.Column('mail', sa.String(), nullable=False),
    sa.Column('website', sa.String(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('hours', sa.JSON(), nullable=False),
    sa.Column('accessibility', sa.String(), nullable=False),
    sa.Column('siret', sa.String(length=14), nullable=False),
    sa.Column('uai', sa.String(length=8), nullable=False),
    sa.Column('dated_on', sa.Date(), nullable=True),
    sa.Column('imported_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.Column('checked_on', sa.Date(), nullable=True),
    sa.Column('corrected', sa.JSON(), nullable=False),
    sa.Column('merged_into_id', sa.Integer(), nullable=True),
    sa.Column('ended_on', sa.Date(), nullable=True),
    sa.Column('invented', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['merged_into_id'], ['place.id'], name=op.f('fk_place_merged_into_id')),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_place_territory_code')),
    sa.ForeignKeyConstraint(['type_code'], ['place_type.code'], name=op.f('fk_place_type_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_place')),
    sa.UniqueConstraint('source', 'source_id', name=op.f('uq_place_source_source_id'))
    )
    with op.batch_alter_table('place', schema=None) as batch_op:
        batch_op.create_index('ix_place_kind', ['type_code', 'territory_code'], unique=False)
        batch_op.create_index('ix_place_point', ['lat', 'lon'], unique=False)
        batch_op.create_index(batch_op.f('ix_place_territory_code'), ['territory_code'], unique=False)

    op.create_table('place_proposal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('place_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('first_day', sa.Date(), nullable=True),
    sa.Column('last_day', sa.Date(), nullable=True),
    sa.Column('from_hour', sa.String(), nullable=False),
    sa.Column('to_hour', sa.String(), nullable=False),
    sa.Column('online', sa.Boolean(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('state', sa.Enum('proposed', 'unread', 'taken', 'dismissed', name='proposalstate', native_enum=False, length=24), nullable=False),
    sa.Column('post_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_place_proposal_place_id')),
    sa.ForeignKeyConstraint(['post_id'], ['post.id'], name=op.f('fk_place_proposal_post_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_place_proposal')),
    sa.UniqueConstraint('place_id', 'text', name=op.f('uq_place_proposal_place_id_text'))
    )
    with op.batch_alter_table('place_proposal', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_place_proposal_place_id'), ['place_id'], unique=False)

    op.create_table('place_sector',
    sa.Column('place_id', sa.Integer(), nullable=False),
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['place_id'], ['place.id'], name=op.f('fk_place_sector_place_id')),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_place_sector_territory_code')),
    sa.PrimaryKeyConstraint('place_id', 'territory_code', name=op.f('pk_place_sector'))
    )
    with op.batch_alter_table('place_sector', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_place_sector_territory_code'), ['territory_code'], unique=False)



def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table('place_sector', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_place_sector_territory_code'))

    op.drop_table('place_sector')
    with op.batch_alter_table('place_proposal', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_place_proposal_place_id'))

    op.drop_table('place_proposal')
    with op.batch_alter_table('place', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_place_territory_code'))
        batch_op.drop_index('ix_place_point')
        batch_op.drop_index('ix_place_kind')

    op.drop_table('place')
    op.drop_table('area_visit')
    op.drop_table('place_type')
