"""Stored values of the audit, spelled out: states, territories and accounts by name, moments in figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from hub.domain import delivery, post
from hub.domain.account import NETWORK_NAMES, AccountNetwork
from hub.domain.clock import zone_name
from hub.domain.notice import RHYTHM_NAMES, Rhythm
from hub.domain.person import RoleKind
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import connecting
from hub.services.describing import moment
from hub.services.joining import ROLE_NAMES

_STATES: Final[Mapping[str, Mapping[str, str]]] = {
    "post": post.STATE_NAMES,
    "delivery": delivery.STATE_NAMES,
    "account": {state.value: name for state, name in connecting.STATE_NAMES.items()},
}
"""What states are called, by kind of thing."""

_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {kind.value: ROLE_NAMES[kind] for kind in RoleKind},
    "network": {network.value: NETWORK_NAMES[network] for network in AccountNetwork},
    "mails": {rhythm.value: RHYTHM_NAMES[rhythm] for rhythm in Rhythm},
    "light": connecting.LIGHT_NAMES,
}
"""What may be chosen is called, by the name of the value."""

_PLACES: Final = frozenset({"territory", "territory_code", "audience", "covers", "territories"})
_DAYS: Final = frozenset({"checked_on", "ended_on"})


def value(kind: str, name: str, stored: Any, territories: Atlas, accounts: Mapping[int, str]) -> str:
    """One value of an entry about this kind of thing, as it is read; empty where there is none."""
    if stored is None or stored in ([], {}):
        return ""
    if isinstance(stored, bool):
        return _("yes") if stored else _("no")
    if isinstance(stored, list) and all(isinstance(one, str | int) for one in stored):
        return ", ".join(value(kind, name, one, territories, accounts) for one in stored)
    if name == "accounts" and isinstance(stored, int):
        return accounts.get(stored, str(stored))
    if not isinstance(stored, str):
        return json.dumps(stored, ensure_ascii=False)
    if name in _PLACES and stored in territories:
        return territories.name(stored)
    names = _STATES.get(kind, {}) if name == "state" else _CHOICES.get(name, {})
    if stored in names:
        return _(names[stored])
    if name in _DAYS:
        return date.fromisoformat(stored).strftime("%d/%m/%Y")
    return _when(stored) if name == "when" else stored


def _when(stored: str) -> str:
    """A wall time and its zone, as posts are noted: `2026-12-01T18:00 local`."""
    wall, _space, zone = stored.partition(" ")
    try:
        told = moment(datetime.fromisoformat(wall))
    except ValueError:
        return stored
    return f"{told} ({zone_name(zone)})" if zone else told
