"""The command line: two sides, operators (machine and database) and people (through the API)."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from hub.language import _

WrongUsage: Any = typer.BadParameter.__mro__[2]
"""Click's own error for what was typed wrongly, of whichever click typer carries inside."""


def build() -> typer.Typer:
    """The whole command line; command rooms import what they need only when they run."""
    from hub.commands import operator, people

    app = typer.Typer(
        name="relais",
        help=_("Relais: each post reaches only the territory it is meant for."),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    operator.register(app)
    people.register(app)
    return app


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command; every error leaves as a sentence and an exit code, none as a traceback."""
    from hub.commands import terminal
    from hub.domain.errors import HubError, Invalid

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    try:
        code = build()(list(arguments) if arguments is not None else None, standalone_mode=False)
    except Invalid as error:
        for problem in error.problems:
            terminal.warn(problem.message)
        code = terminal.exit_code(error)
    except HubError as error:
        terminal.warn(str(error))
        code = terminal.exit_code(error)
    except typer.Abort:
        terminal.warn(_("Stopped."))
        code = 130
    except WrongUsage as error:
        error.show()
        code = error.exit_code
    except KeyboardInterrupt:
        terminal.warn(_("Stopped."))
        code = 130
    except BrokenPipeError:
        # The reader went away (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("RELAIS_DEBUG"):
            raise
        code = _report_bug(error)
    raise SystemExit(code if isinstance(code, int) else 0)


def _report_bug(error: Exception) -> int:
    from hub.commands import terminal

    file = Path(os.environ.get("RELAIS_HOME", ".")) / "relais-error.log"
    try:
        with file.open("a", encoding="utf-8") as log:
            traceback.print_exception(error, file=log)
        where = _("Details are in {file}.", file=file)
    except OSError:
        where = _("Set RELAIS_DEBUG=1 to see the details.")
    terminal.warn(
        _("Relais met a problem it did not expect ({kind}). Nothing half-done was kept.", kind=type(error).__name__)
        + " "
        + where
    )
    return terminal.TROUBLE
