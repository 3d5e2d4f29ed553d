"""Targeting in the played Graph API: read strictly, kept as sent, shown again on asking; and the places it names."""

from __future__ import annotations

import json
from typing import Any, Final

from channels.sandbox.exchange import Shelf
from channels.sandbox.graph_problems import GraphProblem, bad_parameter

MAX_COUNTRIES: Final = 25
AGES: Final = (13, 15, 18, 21, 25)
GEO: Final = frozenset({"countries", "regions", "cities", "zips"})
KINDS: Final = {"region": "regions", "city": "cities", "zip": "zips"}
HARD: Final = frozenset(
    {
        "geo_locations",
        "locales",
        "excluded_countries",
        "excluded_regions",
        "excluded_cities",
        "excluded_zipcodes",
        "timezones",
        "age_min",
    }
)
SOFT: Final = frozenset(
    {
        "geo_locations",
        "locales",
        "age_min",
        "age_max",
        "genders",
        "education_statuses",
        "relationship_statuses",
        "college_years",
        "interests",
    }
)
OVERLAP: Final = 1487756


def read(text: str | None, shelf: Shelf, *, soft: bool = False) -> dict[str, Any] | None:
    """Targeting as it was sent, JSON text, or a refusal where the real one might drop it in silence."""
    if text is None:
        return None
    name = "feed_targeting" if soft else "targeting"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise bad_parameter(f"Param {name} must be JSON text") from error
    if not isinstance(value, dict):
        raise bad_parameter(f"Param {name} must be an object")
    unknown = value.keys() - (SOFT if soft else HARD)
    if unknown:
        raise bad_parameter(f"Param {name} has unexpected key {sorted(unknown)[0]}")
    if not soft and value.get("age_min", 13) not in AGES:
        raise bad_parameter(f"Param {name}[age_min] must be one of {AGES}")
    geo = value.get("geo_locations", {})
    if not isinstance(geo, dict) or geo.keys() - GEO:
        raise bad_parameter(f"Param {name}[geo_locations] takes only {sorted(GEO)}")
    _check_places(geo, shelf)
    return value or None


def _check_places(geo: dict[str, Any], shelf: Shelf) -> None:
    countries = geo.get("countries", [])
    if not all(isinstance(code, str) and len(code) == 2 and code.isupper() for code in countries):
        raise bad_parameter("Param geo_locations[countries] must hold codes of two capital letters")
    if len(countries) > MAX_COUNTRIES:
        raise bad_parameter(f"Param geo_locations[countries] takes at most {MAX_COUNTRIES}")
    named = [(kind, one) for kind in ("regions", "cities", "zips") for one in geo.get(kind, [])]
    if not all(isinstance(one, dict) and isinstance(one.get("key"), str) for _, one in named):
        raise bad_parameter("Places must be objects with a key that is text")
    if not any(True for _ in shelf.all("fb_place")):
        return
    regions = {one["key"] for kind, one in named if kind == "regions"}
    for kind, one in named:
        place = shelf.get("fb_place", one["key"])
        if place is None or KINDS.get(place["type"]) != kind:
            raise bad_parameter(f"Invalid location key {one['key']} in {kind}")
        inside = kind != "regions" and str(place.get("region_id")) in regions
        if place["country_code"] in countries or inside:
            raise GraphProblem(100, "Some of your locations overlap. Try removing a location.", subcode=OVERLAP)


def shown(targeting: dict[str, Any] | None, *, flat: bool) -> dict[str, Any] | None:
    """Targeting as it is read back: as sent, or in the older flat shape with numbers."""
    if not targeting or not flat:
        return targeting
    geo = targeting.get("geo_locations", {})
    rest = {key: value for key, value in targeting.items() if key != "geo_locations"}
    numbers = {kind: [int(one["key"]) for one in geo[kind]] for kind in ("regions", "cities") if geo.get(kind)}
    countries = {"countries": geo["countries"]} if geo.get("countries") else {}
    zips = {"zips": [one["key"] for one in geo["zips"]]} if geo.get("zips") else {}
    return {**countries, **numbers, **zips, **rest}


def search(shelf: Shelf, params: dict[str, str]) -> dict[str, Any]:
    """Places by the beginning of their name or key."""
    try:
        kinds = json.loads(params.get("location_types", "[]"))
        limit = int(params.get("limit", "8"))
    except ValueError as error:
        raise bad_parameter("location_types must be a JSON list, limit a number") from error
    asked = params.get("q", "").casefold()
    found = [
        place
        for place in shelf.all("fb_place")
        if (not kinds or place["type"] in kinds)
        and params.get("country_code") in (None, place["country_code"])
        and params.get("region_id") in (None, str(place.get("region_id")))
        and (place["name"].casefold().startswith(asked) or place["key"].casefold().startswith(asked))
    ]
    return {"data": found[:limit]}
