"""Sentences for what networks' rules say in codes."""

from __future__ import annotations

from channels import Problem
from hub.language import N_, _

PROBLEMS = {
    "text_empty": N_("{account}: there is nothing to say. Write a text or give a link."),
    "text_too_long": N_(
        "{account}: the text counts {length}, and the network takes {max}. "
        "Shorten it, or give this account its own text."
    ),
    "text_invalid_characters": N_("{account}: the text holds characters that the network refuses. Type it anew."),
    "too_many_cashtags": N_("{account}: the network takes {max} word that begins with $. Leave the others out."),
    "link_invalid": N_("{account}: {link} is not a web address. It should look like https://example.org/page."),
    "link_to_facebook": N_("{account}: Facebook refuses links to its own pages ({link}). Link to another page."),
    "too_many_pictures": N_("{account}: {count} pictures, and the network takes {max}. Leave some out."),
    "picture_kind": N_("{account}: the network does not take picture {picture} ({mime}). Use JPEG or PNG."),
    "picture_too_large": N_("{account}: picture {picture} is larger than the network takes ({max} bytes)."),
    "alt_too_long": N_("{account}: the description of picture {picture} is longer than {max} characters."),
    "cannot_gate": N_("{account}: the network cannot limit a post to a territory."),
    "gate_empty": N_("{account}: the limit names no place, so it would be no limit at all."),
    "too_many_countries": N_("{account}: {count} countries, and the network takes {max}."),
}
"""Sentence by code of `channels.Problem`."""


def network_problem(account: str, problem: Problem) -> str:
    """What a network's rules say of a message, as a sentence; a code without one is shown as it is."""
    sentence = PROBLEMS.get(problem.code)
    if sentence is None:
        return f"{account}: {problem.code}"
    return _(sentence, account=account, **problem.details)
