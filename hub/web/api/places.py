"""What a post is made of beside its words: territories, accounts, pictures."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, UploadFile, status

from hub import media
from hub.database import writing
from hub.domain.errors import Invalid
from hub.language import _
from hub.services import connecting, drafting, finding, geotargeting
from hub.web.api import shapes
from hub.web.api.typed import Answer
from hub.web.deps import Now, ReadDb, SignedIn, TheHub
from hub.web.problems import documented

router = APIRouter(tags=["territories, accounts, pictures"])

SHOWN: Final = (
    "insee",
    "name",
    "postcodes",
    "departement",
    "departement_name",
    "academie_code",
    "academie",
    "lat",
    "lon",
    "code",
    "zone",
)


@router.get("/territories", summary="Communes by INSEE code, postcode, name or nearness; for everybody.")
def find_territories(
    session: ReadDb,
    query: Annotated[str | None, Query(max_length=200)] = None,
    near: Annotated[str | None, Query(max_length=60, description="Latitude and longitude: 48.11,-1.67")] = None,
) -> list[Answer]:
    """The likeliest first; an empty list when nothing fits."""
    if bool(query and query.strip()) == bool(near):
        raise Invalid(_("Say either what to look for (query) or where (near)."), field="query")
    found = finding.find_near(session, *point(near)) if near else finding.find_territories(session, query or "")
    return [{name: getattr(one, name) for name in SHOWN} for one in found]


def point(near: str) -> tuple[float, float]:
    """Latitude and longitude as they stand in an address; Invalid for what is none on Earth."""
    try:
        lat, lon = (float(part) for part in near.split(","))
    except ValueError as error:
        raise Invalid(
            _("“{near}” is not a point: give latitude and longitude in degrees, such as 48.11,-1.67.", near=near),
            field="near",
        ) from error
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise Invalid(
            _(
                "{near} is not on Earth: latitude goes from -90 to 90 and comes first, longitude from -180 to 180.",
                near=near,
            ),
            field="near",
        )
    return lat, lon


@router.get("/accounts", summary="The accounts that one may see and choose.", responses=documented(401))
def list_accounts(person: SignedIn, session: ReadDb) -> list[Answer]:
    """By network, then territory."""
    accounts = connecting.list_accounts(session, person)
    land = geotargeting.atlas(session, [one.territory_code for one in accounts])
    return [shapes.account(one, land.name(one.territory_code)) for one in accounts]


@router.post(
    "/media",
    status_code=status.HTTP_201_CREATED,
    summary="Upload a picture for a post.",
    responses=documented(400, 401, 403),
)
def upload(file: UploadFile, person: SignedIn, hub: TheHub, now: Now) -> Answer:
    """Cleaned outside any transaction, then kept by content: the same picture twice has one id."""
    drafting.require_writer(person)
    cleaned = media.clean(file.file.read(media.MOST_BYTES + 1))
    with writing(hub.engine) as session:
        kept = media.keep(session, cleaned, at=now)
        return {"id": kept.id, "mime": kept.mime, "width": kept.width, "height": kept.height}
