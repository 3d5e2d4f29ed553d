"""What stands beside the rows of a workbook: what its words mean, and what must be known to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from hub.domain.delivery import Provenance
from hub.domain.reach import Unit
from hub.language import N_, _, current_language
from hub.services.exporting import NOT_READ, SCHEMA_VERSION, TOO_FEW, Plan, metric_name

UNIT_MEANINGS: Final[Mapping[Unit, str]] = {
    Unit.PEOPLE: N_(
        "Each person once, as the network tells them apart. Over several posts: at least the highest single figure."
    ),
    Unit.VIEWS: N_("Each time that a post was shown, on Facebook or on our portal. Added up."),
    Unit.IMPRESSIONS: N_("The word of X for each time that a post was shown. Added up."),
    Unit.CLICKS: N_("Each time that somebody followed a link or opened a post. Added up."),
    Unit.REACTIONS: N_("Likes, shares, replies and the like. Added up."),
    Unit.ARRIVALS: N_("Each time that our own link in a post on a network was followed. Added up."),
}

PROVENANCE_MEANINGS: Final[Mapping[Provenance, str]] = {
    Provenance.OWN_PAGE: N_("The page of the territory itself."),
    Provenance.GATED: N_("A post of a wider page, limited to the territory by the network."),
    Provenance.NATIONAL: N_(
        "A post of the national page without a limit: it counts for France, and is never spread over territories."
    ),
    Provenance.ORIGIN: N_(
        "X cannot limit a post: it counts for the territory that wrote it, wherever its readers are."
    ),
    Provenance.PORTAL: N_("Our own counts on the public portal, of nobody in particular."),
}

MISSING_MEANINGS: Final[Mapping[str, str]] = {
    NOT_READ: N_("The post is out, and its network was not asked yet."),
    TOO_FEW: N_("One of our own counts from 1 to 4: so few that somebody might be known by it."),
}


class Definition(NamedTuple):
    """One word of the export: a metric, a unit, a provenance, or a reason why there is no value."""

    column: str
    word: str
    network: str = ""
    unit: str = ""
    valid_from: str = ""
    valid_until: str = ""
    replaces: str = ""
    meaning: str = ""


def definitions(plan: Plan) -> Iterator[Definition]:
    """Every word that needs one, in the reader's language."""
    french = current_language() == "fr"
    for one in plan.catalogue.metrics:
        yield Definition(
            "metric",
            metric_name(one.name, one.period),
            one.network.value,
            one.unit.value,
            one.valid_from.isoformat(),
            one.valid_until.isoformat() if one.valid_until else "",
            one.replaces or "",
            one.definition if french else one.definition_en,
        )
    for unit, meaning in UNIT_MEANINGS.items():
        yield Definition("unit", unit.value, meaning=_(meaning))
    for provenance, meaning in PROVENANCE_MEANINGS.items():
        yield Definition("provenance", provenance.value, meaning=_(meaning))
    for reason, meaning in MISSING_MEANINGS.items():
        yield Definition("missing", reason, meaning=_(meaning))


def notes(plan: Plan) -> list[tuple[str, str]]:
    """What must be known to read the rows, point by point."""
    seen = ", ".join(f"{plan.places[code][0]} ({code})" if code in plan.places else code for code in plan.sees)
    return [
        (_("Period"), _("From {first} to {last}, both included. Of posts, the day of their publication counts.",
                        first=plan.frame.first.isoformat(), last=plan.frame.last.isoformat())),
        (_("Territory"), plan.frame.territory or _("All that may be seen.")),
        (_("Who may read it"), _("Figures of these territories, and of France as a whole: {territories}. They are of "
                                 "nobody in particular; whoever passes them on says where they come from.",
                                 territories=seen)),
        (_("At least"), _("People are never added up: over several posts, only the highest single figure is sure.")),
        (_("Missing"), _("An empty value is not zero: the column beside it says why there is none.")),
        ("< 5", _("Our own counts from 1 to 4 have no value here; networks' figures are as the networks told them.")),
        (_("Provenance"), _("Figures of different provenance are never added up, nor told side by side as if alike.")),
        (_("Moments"), _("First and last reading are in UTC.")),
        (_("Schema version"), str(SCHEMA_VERSION)),
        (_("Catalogue version"), plan.catalogue.version),
    ]  # fmt: skip
