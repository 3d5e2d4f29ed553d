"""`/metrics`: what Prometheus reads, for whoever shows the token; without one in the settings there is no such page."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from hub.language import _
from hub.web.deps import TheHub, bearer

router = APIRouter(include_in_schema=False)


async def require_metrics_token(
    hub: TheHub, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Raise 401 for whoever does not show the token of the settings."""
    wanted = hub.settings.metrics_token
    shown = given.credentials if given is not None else ""
    # Of one length each, and compared to the end: how long it takes tells nothing.
    if wanted is None or not hmac.compare_digest(_digest(shown), _digest(wanted.get_secret_value())):
        raise HTTPException(
            401, _("This address is for machines that show its token."), headers={"WWW-Authenticate": "Bearer"}
        )


def _digest(token: str) -> bytes:
    return hmac.digest(b"relais metrics", token.encode("utf-8", "surrogateescape"), "sha256")


@router.get("/metrics", dependencies=[Depends(require_metrics_token)])
def metrics(request: Request) -> Response:
    """Counts and gauges, in the form that is asked for; numbers, ids and codes only."""
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.registry), media_type=kind, headers={"Cache-Control": "no-store"})
