"""`relais secrets`: new keys for what is encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from hub.wiring import Hub


def build() -> typer.Typer:
    """The commands on secrets."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

    @app.callback()
    def secrets() -> None:
        """Keep `rotate` a command of its own although it is the only one."""

    app.command("rotate", help=_("Make a new key and put every secret under it."))(rotate)
    return app


def rotate(
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help=_("Then forget the old keys: older backups need their own key file."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """A new key in front, every secret under it, and the old keys dropped on demand."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading, writing
    from hub.domain.audit import OPERATOR
    from hub.secrets import write_new_key
    from hub.services import sealing

    hub = open_hub()
    from_file = not hub.settings.secret_keys
    with reading(hub.engine) as session:
        sealing.require_all_open(session, hub.vault)  # before any key is made: with a wrong one nothing changes
    if from_file:
        write_new_key(hub.settings.key_file)
    with writing(hub.engine) as session:
        count = sealing.seal_again(session, hub.vault, by=OPERATOR, at=hub.now())
    dropped = _drop(hub) if drop_old and from_file else 0
    if as_json:
        terminal.say_json({"secrets": count, "new_key": from_file, "dropped": dropped})
        return
    terminal.say(
        ngettext("{count} secret is now under the first key.", "{count} secrets are now under the first key.", count)
        if count
        else _("There is no secret to put under the first key yet.")
    )
    if not from_file:
        terminal.say(
            _(
                "The keys come from RELAIS_SECRET_KEYS: to change them, put a new one in front and run this again; "
                "then take the old ones out of the setting."
            )
        )
    elif dropped:
        terminal.say(
            ngettext("{count} old key was dropped.", "{count} old keys were dropped.", dropped)
            + " "
            + _("Keep a copy of the key file apart from backups.")
        )
    else:
        terminal.say(_("The old keys are kept behind the new one; --drop-old forgets them."))


def _drop(hub: Hub) -> int:
    """Forget all keys but the newest, once it alone opens every secret; nobody can seal meanwhile."""
    from hub.database import writing
    from hub.domain.audit import OPERATOR, note
    from hub.secrets import Vault, drop_old_keys, read_keys
    from hub.services import sealing

    newest = Vault(read_keys(hub.settings.key_file)[:1])
    with writing(hub.engine) as session:
        sealing.keep_shut(session)
        sealing.require_all_open(session, newest)
        count = drop_old_keys(hub.settings.key_file)
        note(session, "secrets.drop", "vault:keys", by=OPERATOR, at=hub.now(), after={"dropped": count})
    return count
