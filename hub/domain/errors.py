"""What may go wrong, said so that the reader knows what to do next; the doors turn these into answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HubError(Exception):
    """Something that a person can understand and act on; the text is in the reader's language."""


class NotFound(HubError):
    """There is no such thing, or not for this person."""


class NotAllowed(HubError):
    """This person may not do this."""


class NotSignedIn(NotAllowed):
    """Nobody known is asking: wrong password, unknown or revoked token, disabled person."""


class WrongState(HubError):
    """Not now: the thing is in a state that forbids it, or somebody else changed it meanwhile."""


class Busy(HubError):
    """Too much of this is going on right now: again in a moment."""


@dataclass(frozen=True)
class FieldProblem:
    """One thing that is wrong, and the field where it was typed (dotted path; empty for the whole)."""

    field: str
    message: str


class Invalid(HubError):
    """What was typed cannot be taken; carries every problem at once."""

    def __init__(self, problems: Sequence[FieldProblem] | str, *, field: str = "") -> None:
        if isinstance(problems, str):
            problems = [FieldProblem(field, problems)]
        self.problems = list(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))
