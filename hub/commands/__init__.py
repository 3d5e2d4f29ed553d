"""The command line: two sides, operators (machine and database) and people (through the API)."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.language import _


def _tell_version(asked: bool) -> None:
    if asked:
        from hub import __version__
        from hub.commands import terminal

        terminal.say(f"Relais {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_tell_version, help=_("Say which version this is."))
]

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

    @app.callback()
    def relais(version: Version = False) -> None:
        """Take the options that stand before any command."""

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
        _explain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        terminal.warn(_("Stopped."))
        code = 130
    except BrokenPipeError:
        code = _unheard()
    except SystemExit as error:
        # Typer and rich make an exit of their own of a pipe that was closed.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = _unheard()
    except Exception as error:  # noqa: BLE001 - the last net: a bug leaves as a sentence too
        code = _show_bug(error) if os.environ.get("RELAIS_DEBUG") else _report_bug(error)
    finally:
        if opening := sys.modules.get("hub.commands.operator.opening"):
            opening.OPENED.close()
    raise SystemExit(code if isinstance(code, int) else 0)


def _unheard() -> int:
    """The reader went away (`| head`): nobody is left to tell, and nothing went wrong."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    return 0


def _explain(error: Any) -> None:
    """Say in the reader's language what was typed wrongly, and where help is."""
    from hub.commands import terminal

    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    terminal.warn(_wrong(error))
    command = error.ctx.command_path if getattr(error, "ctx", None) else "relais"
    terminal.warn(_("“{command} --help” shows how it is used.", command=command))


def _wrong(error: Any) -> str:
    """One sentence for what typer tells in English; its own words for what is rare."""
    told = error.format_message()
    name = _called(error)
    match type(error).__name__:
        case "MissingParameter":
            return _("{name} is missing.", name=name)
        case "NoSuchOption":
            near = " / ".join(sorted(error.possibilities or ()))
            hint = " " + _("Did you mean {name}?", name=near) if near else ""
            return _("There is no option {name} here.", name=error.option_name) + hint
        case "BadOptionUsage" if "requires" in told:
            return _("{name} needs a value.", name=error.option_name)
        case "BadOptionUsage" if "does not take" in told:
            return _("{name} takes no value.", name=error.option_name)
        case "BadParameter" if name:
            return _not_taken(name, error.message)
    if found := re.match(r"No such command '(.*?)'\.(?: Did you mean '(.*?)'\?)?", told):
        hint = " " + _("Did you mean {name}?", name=found[2]) if found[2] else ""
        return _("There is no command {name}.", name=found[1]) + hint
    if found := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", told):
        return _("This is too much: {words}.", words=found[1])
    return str(told)


def _called(error: Any) -> str:
    """What the option or argument is called, as it is typed."""
    parameter = getattr(error, "param", None)
    return str(parameter.get_error_hint()).replace("'", "").strip("[]…") if parameter is not None else ""


def _not_taken(name: str, why: str) -> str:
    """Why a value is not taken."""
    if "valid integer" in why:
        return _("{name} is a whole number.", name=name)
    if found := re.search(r"greater than or equal to (\S+)", why):
        return _("{name} is at least {bound}.", name=name, bound=found[1])
    if found := re.search(r"less than or equal to (\S+)", why):
        return _("{name} is at most {bound}.", name=name, bound=found[1])
    return _("{name} cannot be taken: {why}", name=name, why=why)


def _trace(error: Exception) -> str:
    """Where it happened. What failed may have held a token in its hands, and traces are sent to others."""
    from hub.masking import masked

    return masked("".join(traceback.format_exception(error)))


def _show_bug(error: Exception) -> int:
    from hub.commands import terminal

    sys.stderr.write(_trace(error))
    return terminal.TROUBLE


def _report_bug(error: Exception) -> int:
    from hub.commands import terminal

    file = Path(os.environ.get("RELAIS_HOME", ".")) / "relais-error.log"
    try:
        with file.open("a", encoding="utf-8") as log:
            log.write(_trace(error))
        where = _("Details are in {file}.", file=file)
    except OSError:
        where = _("Set RELAIS_DEBUG=1 to see the details.")
    terminal.warn(
        _("Relais met a problem it did not expect ({kind}). Nothing half-done was kept.", kind=type(error).__name__)
        + " "
        + where
    )
    return terminal.TROUBLE
