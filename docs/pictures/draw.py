"""Draw `demo.svg` from what the demo really prints: `python docs/pictures/draw.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
SHOWN = 16
"""Lines of the report that fit on a README's screen."""


def main() -> None:
    """Run the demo once, keep the head of its report and its verdict, and write them as SVG."""
    relais = str(Path(sys.executable).with_name("relais"))
    environment = {**os.environ, "RELAIS_LANGUAGE": "fr", "COLUMNS": "130"}
    done = subprocess.run(  # noqa: S603 - our own command
        [relais, "demo", "--once"], capture_output=True, text=True, check=True, env=environment
    )
    report, _blank, verdict = done.stdout.partition("\n\n")
    lines = report.splitlines()
    console = Console(record=True, width=max(map(len, lines)) + 2, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text("$ make demo", style="bold green"))
    console.print(Text(lines[0], style="italic"))
    console.print(Text(lines[1], style="bold"))
    for line in lines[2 : SHOWN + 2]:
        console.print(Text(line))
    console.print(Text(f"… ({len(lines) - 2 - SHOWN} autres lignes)", style="dim"))
    console.print()
    console.print(Text(verdict.splitlines()[0], style="bold"))
    drawn = console.export_svg(title="Relais")
    # No font is fetched from anywhere: the reader's own monospace does.
    drawn = re.sub(r"@font-face\s*\{.*?\}", "", drawn, flags=re.DOTALL).replace("Fira Code", "monospace")
    drawn = re.sub(r"<!-- Generated with Rich.*?-->", "", drawn, flags=re.DOTALL)
    (HERE / "demo.svg").write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
