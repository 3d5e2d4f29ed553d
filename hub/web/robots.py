"""Who is obviously no reader: crawlers, previews of links, programs, and browsers that load ahead of time.

A click or a view of theirs is not counted. The list looks at words that they say of themselves, of which nothing is
kept; whoever hides behind the name of a browser is counted like a reader.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from starlette.requests import Request

LISTED_ON: Final = date(2026, 11, 28)
"""When the names were last looked through."""

ROBOTS: Final = (
    # Whatever says what it is: Googlebot, bingbot, Twitterbot, Slackbot, TelegramBot, Discordbot, Applebot …
    "bot", "crawl", "spider", "preview", "archiver", "validator",
    # Networks and messengers that look at a link before they show it; people in their apps have other names.
    "facebookexternalhit", "facebookcatalog", "meta-externalagent", "meta-externalfetcher", "whatsapp/",
    "slack-imgproxy", "mastodon/", "bluesky cardyb", "embedly", "iframely", "vkshare",
    # Search engines that say it in another way.
    "google-inspectiontool", "googleother", "google-read-aloud", "mediapartners-google", "feedfetcher", "slurp",
    "qwantify",
    # Programs and their libraries.
    "curl/", "wget/", "python-", "python/", "aiohttp", "go-http-client", "java/", "libwww-perl", "node-fetch", "axios/",
    "guzzlehttp", "okhttp", "apache-httpclient", "scrapy", "lighthouse", "headlesschrome", "phantomjs",
)  # fmt: skip
"""Parts of what robots call themselves, in small letters."""

NO_ROBOTS: Final = ("cubot",)
"""What only looks like one of them: a make of telephones."""

AHEAD: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""The headers by which a browser says that it only loads ahead of time: nobody has seen anything yet."""

AHEAD_WORDS: Final = ("prefetch", "prerender", "preview")


def is_reader(request: Request) -> bool:
    """Whether a request may come of somebody who reads: it is counted then."""
    name = request.headers.get("user-agent", "").strip().lower()
    if request.method != "GET" or not name:
        return False
    if any(word in request.headers.get(header, "").lower() for header in AHEAD for word in AHEAD_WORDS):
        return False
    for other in NO_ROBOTS:
        name = name.replace(other, "")
    return not any(robot in name for robot in ROBOTS)
