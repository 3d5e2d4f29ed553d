"""Places that receive young people: kinds, places, their sectors, the open days that sources tell, visits of areas."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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

    op.create_table('pinned',
    sa.Column('delivery_id', sa.Integer(), nullable=False),
    sa.Column('territory_code', sa.String(), nullable=False),
    sa.Column('whole', sa.Boolean(), nullable=False),
    sa.Column('kind', sa.Enum('event', 'option', 'meeting', 'advice', 'news', name='kind', native_enum=False, length=24), nullable=False),
    sa.Column('sent_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.Column('ends_at', hub.domain.table.Moment(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_pinned_delivery_id')),
    sa.ForeignKeyConstraint(['territory_code'], ['territory.code'], name=op.f('fk_pinned_territory_code')),
    sa.PrimaryKeyConstraint('delivery_id', 'territory_code', name=op.f('pk_pinned'))
    )
    with op.batch_alter_table('pinned', schema=None) as batch_op:
        batch_op.create_index('ix_pinned_board', ['territory_code', 'whole', 'ends_at', 'sent_at', 'kind', 'delivery_id'], unique=False)

    pin_what_is_out()


def pin_what_is_out() -> None:
    """Put every item that is out already on its boards, as it is done from now on when one goes out."""
    connection = op.get_bind()
    paths: dict[str, str] = {row.code: row.path for row in connection.execute(sa.text("SELECT code, path FROM territory"))}
    out = sa.text(
        "SELECT d.id, d.gate, d.sent_at, d.useless_after, p.kind, p.event FROM delivery d"
        " JOIN account a ON a.id = d.account_id JOIN post p ON p.id = d.post_id"
        " WHERE a.network = 'portal' AND d.state = 'sent' AND d.sent_at IS NOT NULL"
    ).columns(
        gate=sa.JSON(), event=sa.JSON(), sent_at=hub.domain.table.Moment(), useless_after=hub.domain.table.Moment()
    )
    rows = []
    for one in connection.execute(out):
        codes = (one.gate or {}).get("territories") or ["FR"]
        above = {code for known in codes if known in paths for code in paths[known].split("/")} - set(codes)
        known = {"delivery_id": one.id, "kind": one.kind, "sent_at": one.sent_at}
        known["ends_at"] = _ends_at(one)
        rows += [known | {"territory_code": code, "whole": True} for code in codes if code in paths]
        rows += [known | {"territory_code": code, "whole": False} for code in sorted(above)]
    if rows:
        op.bulk_insert(_PINNED, rows)


def _ends_at(one: Any) -> datetime:
    """The last end of its event; some weeks for what is about a day that nobody told; the end of time for the rest."""
    if one.event:
        zone = ZoneInfo(one.event.get("zone") or "Europe/Paris")
        return max(datetime.fromisoformat(timing["end"]) for timing in one.event["timings"]).replace(tzinfo=zone)
    if one.kind in {"event", "meeting"}:
        undated_lasts: datetime = max(one.useless_after, one.sent_at + timedelta(days=30))
        return undated_lasts
    return datetime(9999, 1, 1, tzinfo=UTC)


_PINNED = sa.table(
    "pinned",
    sa.column("delivery_id", sa.Integer()),
    sa.column("territory_code", sa.String()),
    sa.column("whole", sa.Boolean()),
    sa.column("kind", sa.String()),
    sa.column("sent_at", hub.domain.table.Moment(timezone=True)),
    sa.column("ends_at", hub.domain.table.Moment(timezone=True)),
)


def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table('pinned', schema=None) as batch_op:
        batch_op.drop_index('ix_pinned_board')

    op.drop_table('pinned')
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
