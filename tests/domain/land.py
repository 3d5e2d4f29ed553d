"""A small country for tests of rules: two régions, one of them a single académie, and an overseas service."""

from __future__ import annotations

from hub.domain.territory import Atlas, Level, Node

PATHS = {
    "FR": 1000,
    "FR/R-53": 400,
    "FR/R-53/A-14": 400,
    "FR/R-53/A-14/D-22": 150,
    "FR/R-53/A-14/D-35": 250,
    "FR/R-53/A-14/D-35/C-35047": 50,
    "FR/R-53/A-14/D-35/C-35238": 150,
    "FR/R-53/A-14/D-35/C-35288": 50,
    "FR/R-75": 500,
    "FR/R-75/A-04": 300,
    "FR/R-75/A-04/D-33": 200,
    "FR/R-75/A-04/D-40": 100,
    "FR/R-75/A-22": 200,
    "FR/R-75/A-22/D-87": 200,
    "FR/A-40": 100,
    "FR/A-40/D-988": 100,
}
"""Path → people."""

LEVELS = {
    "FR": Level.COUNTRY,
    "R": Level.REGION,
    "A": Level.ACADEMIE,
    "D": Level.DEPARTEMENT,
    "C": Level.COMMUNE,
}

NODES = {
    (code := path.split("/")[-1]): Node(
        code=code,
        name=f"Land {code}",
        level=LEVELS[code.split("-")[0]],
        path=path,
        zone="Pacific/Noumea" if "A-40" in path else "Europe/Paris",
        population=people,
    )
    for path, people in PATHS.items()
}

ATLAS = Atlas(NODES, {"D-35": 3})

LEAVES = {
    code for code, node in NODES.items() if not any(other.path.startswith(node.path + "/") for other in NODES.values())
}
"""Lands without parts: what a set of territories really covers is told in these."""


def leaves(codes: object) -> set[str]:
    """The lands without parts that lie within these."""
    assert isinstance(codes, set | frozenset | list | tuple)
    return {leaf for leaf in LEAVES if any(ATLAS.within(leaf, code) for code in codes)}
