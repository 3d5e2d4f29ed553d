"""What a post will look like: one card for each account, with its words, limits, times, costs and hindrances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from babel.numbers import format_currency

from channels import Network, Rules
from hub.domain.account import NETWORK_NAMES, Account, AccountNetwork
from hub.language import _, current_language
from hub.services import choosing
from hub.services.geotargeting import Planned


@dataclass(frozen=True)
class Piece:
    """One delivery of a card: for whom, when, and how exact its limit is."""

    planned: Planned

    @property
    def place(self) -> str:
        """Whose clock its time is told by."""
        return choosing.place_of(self.planned.zone)

    @property
    def is_abroad(self) -> bool:
        """Whether Paris has another time then."""
        return self.planned.zone != choosing.HOME_ZONE

    @property
    def precision(self) -> str:
        """How well the limit fits, in words; empty where it is exact or where there is none."""
        exact = self.planned.gate.precision if self.planned.gate else None
        if exact is None or (exact.covered >= 100 and exact.spilled <= 0):
            return ""
        covered = _("reaches {covered} % of the people meant", covered=_percent(exact.covered))
        return covered + _(", {spilled} % of those reached live outside", spilled=_percent(exact.spilled))


@dataclass(frozen=True)
class Card:
    """What an account will say: the first of its deliveries in full, all of them in short."""

    account: Account
    network: str
    length: int
    most: int
    pieces: tuple[Piece, ...]

    @property
    def first(self) -> Planned:
        """The delivery that is shown."""
        return self.pieces[0].planned

    @property
    def problems(self) -> list[str]:
        """Why it cannot go out like this, each reason once."""
        return list(dict.fromkeys(text for piece in self.pieces for text in piece.planned.problems))

    @property
    def warnings(self) -> list[str]:
        """What somebody must have seen, each once."""
        return list(dict.fromkeys(text for piece in self.pieces for text in piece.planned.warnings))

    @property
    def host(self) -> str:
        """The site that the link leads to, as networks show it."""
        return urlsplit(self.first.link or "").hostname or ""

    @property
    def cost(self) -> str:
        """What all its deliveries cost, in words; empty for nothing."""
        return money(sum((piece.planned.cost for piece in self.pieces), Decimal(0)))


@dataclass(frozen=True)
class Counter:
    """How long a text is, as one network counts."""

    network: str
    name: str
    length: int
    most: int

    @property
    def is_over(self) -> bool:
        """Whether the network would refuse it."""
        return self.length > self.most


def cards(planned: Sequence[Planned], rules: Mapping[Network, Rules]) -> list[Card]:
    """One card for each account, in the order of their networks."""
    by_account: dict[int, list[Planned]] = {}
    for one in sorted(planned, key=lambda one: choosing.ORDER[one.account.network]):
        by_account.setdefault(one.account.id or 0, []).append(one)
    return [_card(some, rules[Network(some[0].account.network)]) for some in by_account.values()]


def _card(some: Sequence[Planned], rules: Rules) -> Card:
    account = some[0].account
    return Card(
        account=account,
        network=_(NETWORK_NAMES[account.network]),
        length=max(rules.length(one.text) for one in some),
        most=rules.max_length,
        pieces=tuple(Piece(one) for one in some),
    )


def counters(
    text: str, link: str, accounts: Sequence[Account], planned: Sequence[Planned], rules: Mapping[Network, Rules]
) -> list[Counter]:
    """How long the common text is on each network of these accounts: of the final words, where they are known."""
    told: dict[Network, int] = {}
    for account in accounts:
        network = Network(account.network)
        whole = text if rules[network].keeps_link_apart or not link else f"{text} {link}"
        final = [rules[network].length(one.text) for one in planned if one.account.id == account.id]
        told[network] = max([told.get(network, 0), *(final or [rules[network].length(whole)])])
    return [
        Counter(network.value, _(NETWORK_NAMES[AccountNetwork(network.value)]), length, rules[network].max_length)
        for network, length in told.items()
    ]


def money(dollars: Decimal) -> str:
    """A sum in words of the reader's language; empty for nothing."""
    return format_currency(dollars, "USD", locale=current_language()) if dollars else ""


def _percent(share: float) -> str:
    return f"{share:g}".replace(".", "," if current_language() == "fr" else ".")
