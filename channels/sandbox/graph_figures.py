"""Figures of the played Graph API: they grow with the sandbox's clock, the same way each time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from channels.sandbox.graph_problems import GraphProblem, bad_parameter

POST_METRICS: Final = (
    "post_total_media_view_unique",
    "post_media_view",
    "post_clicks",
    "post_reactions_by_type_total",
    "post_activity_by_action_type",
    "post_video_views",
)
PAGE_METRICS: Final = (
    "page_total_media_view_unique",
    "page_media_view",
    "page_post_engagements",
    "page_views_total",
    "page_follows",
    "page_daily_follows_unique",
    "page_daily_unfollows_unique",
    "page_follows_country",
    "page_follows_city",
)
PERIODS: Final = {"day": 1, "week": 7, "days_28": 28}
END: Final = "%Y-%m-%dT%H:%M:%S+0000"
LONGEST_WINDOW: Final = timedelta(days=90)
FEWEST_FOLLOWERS: Final = 100
CALIFORNIA: Final = ZoneInfo("America/Los_Angeles")
CITIES: Final = ("Rennes", "Paris", "Lyon", "Marseille", "Lille", "Pointe-à-Pitre", "Saint-Denis")
"""Where followers live, as far as this network tells."""


def metrics_asked(params: dict[str, str], living: Iterable[str]) -> list[str]:
    """The metrics of a call; one that does not live any more fails it all."""
    asked = [name for name in params.get("metric", "").split(",") if name]
    if not asked:
        raise GraphProblem(3001, "(#3001) No metric was specified to be fetched.", subcode=1504028)
    if set(asked) - set(living):
        raise bad_parameter("The value must be a valid insights metric")
    return asked


def of_post(post: dict[str, Any], page: dict[str, Any], now: datetime, metrics: Iterable[str]) -> list[dict[str, Any]]:
    """A post's figures since it can be seen."""
    values = _values(post, page, now)
    return [_entry(post["id"], name, "lifetime", [{"value": values[name]}]) for name in metrics]


def of_page(
    page: dict[str, Any], posts: list[dict[str, Any]], params: dict[str, str], metrics: Iterable[str], now: datetime
) -> list[dict[str, Any]]:
    """A page's figures day by day; each `end_time` is the midnight in California that ends the day."""
    period = params.get("period", "day")
    if period not in PERIODS:
        raise bad_parameter("period must be one of day, week, days_28")
    try:
        until = datetime.fromtimestamp(int(params["until"]), now.tzinfo) if "until" in params else now
        since = datetime.fromtimestamp(int(params["since"]), now.tzinfo) if "since" in params else until - timedelta(2)
    except ValueError as error:
        raise bad_parameter("since and until must be seconds") from error
    if until - since > LONGEST_WINDOW:
        raise bad_parameter("There cannot be more than 90 days between since and until")
    ends = list(_midnights(since, min(until, now)))
    return [
        _entry(
            page["id"],
            name,
            period,
            [
                {
                    "value": _page_value(page, posts, name, end, PERIODS[period]),
                    "end_time": f"{end:{END}}",
                }
                for end in ends
            ],
        )
        for name in metrics
    ]


def _midnights(since: datetime, until: datetime) -> Iterator[datetime]:
    """The ends of days between two moments."""
    day = since.astimezone(CALIFORNIA).date()
    while True:
        day += timedelta(days=1)
        end = datetime.combine(day, datetime.min.time(), CALIFORNIA).astimezone(UTC)
        if end > until:
            return
        yield end


def _entry(owner: str, name: str, period: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    title = name.replace("_", " ")
    return {
        "name": name,
        "period": period,
        "values": values,
        "title": title.capitalize(),
        "description": title,
        "id": f"{owner}/insights/{name}/{period}",
    }


def _share(key: str, low: float, high: float) -> float:
    """A number between two, always the same for a key."""
    part = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
    return low + part * (high - low)


def _reach(post: dict[str, Any], page: dict[str, Any], now: datetime) -> float:
    """People who saw it by now: quick at first, hardly any after some days."""
    if not post["published_at"]:
        return 0.0
    hours = (now.timestamp() - post["published_at"]) / 3600
    top = page["followers"] * _share(post["id"] + "top", 0.08, 0.55)
    if post["targeting"]:
        top *= _share(post["id"] + "part", 0.05, 0.3)
    return float(top * (1 - math.exp(-max(hours, 0) / _share(post["id"] + "pace", 5, 14))))


def _values(post: dict[str, Any], page: dict[str, Any], now: datetime) -> dict[str, Any]:
    people = _reach(post, page, now)
    likes = int(people * _share(post["id"] + "like", 0.004, 0.03))
    loves = int(people * _share(post["id"] + "love", 0.0, 0.008))
    reactions = {name: count for name, count in (("like", likes), ("love", loves)) if count}
    return {
        "post_total_media_view_unique": int(people),
        "post_media_view": int(people * _share(post["id"] + "again", 1.15, 1.9)),
        "post_clicks": int(people * _share(post["id"] + "click", 0.005, 0.05)),
        "post_reactions_by_type_total": reactions,
        "post_activity_by_action_type": {"like": likes + loves} if likes + loves else {},
        "post_video_views": 0,
    }


def _page_value(page: dict[str, Any], posts: list[dict[str, Any]], name: str, end: datetime, days: int) -> Any:
    start = end - timedelta(days=days)
    grown = sum(_reach(post, page, end) - _reach(post, page, start) for post in posts)
    followers = page["followers"]
    values: dict[str, Any] = {
        "page_total_media_view_unique": int(min(grown * 0.8, followers * 0.9)),
        "page_media_view": int(grown * 1.4),
        "page_post_engagements": int(grown * 0.03),
        "page_views_total": int(followers * 0.002 * days),
        "page_follows": followers,
        "page_daily_follows_unique": int(followers * 0.001),
        "page_daily_unfollows_unique": int(followers * 0.0004),
        "page_follows_country": {"FR": int(followers * 0.93)},
        "page_follows_city": {
            city: count for city in CITIES if (count := int(followers * _share(page["id"] + city, 0.0, 0.2)))
        },
    }
    return values[name]
