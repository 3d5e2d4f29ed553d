"""`relais account`: pages and profiles, their keys, and how they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.domain.account import Account, AccountNetwork
    from hub.services.rationing import Ration
    from hub.wiring import Hub

Reference = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help=_("Number, exact name, or network:territory such as facebook:A-14."))
]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]


def build() -> typer.Typer:
    """The commands on accounts."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("add", help=_("Connect a page or profile; its keys come from standard input or a file."))(add)
    app.command("list", help=_("List accounts, their state and what the last check showed."))(list_accounts)
    app.command("check", help=_("Ask the network how an account is (or all of them), and say what to do."))(check)
    app.command("option", help=_("Choose how an account is used, such as verified=true on X."))(option)
    app.command("pause", help=_("Let nothing go out for an account."))(pause)
    app.command("resume", help=_("Let deliveries of an account go out again."))(resume)
    return app


def add(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=_("facebook, x or portal."))],
    territory: Annotated[str, typer.Option(help=_("Territory that it speaks for, such as A-14."))] = "",
    name: Annotated[str, typer.Option(help=_("How people here call it; default: as the network does."))] = "",
    secret_file: Annotated[
        Path | None, typer.Option(help=_("File that holds the keys; default: standard input."))
    ] = None,
    user_token: Annotated[
        bool, typer.Option("--user-token", help=_("Facebook: a person's token is given, to be exchanged."))
    ] = False,
    page: Annotated[str, typer.Option(metavar="ID", help=_("Facebook: the page's number."))] = "",
    handle: Annotated[str, typer.Option(help=_("X: the user name, without the @."))] = "",
    user_id: Annotated[str, typer.Option(metavar="ID", help=_("X: the account's number, if not in its token."))] = "",
    options: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help=_("A choice of its channel."))
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help=_("The account is here already: replace its keys."))] = False,
    check: Annotated[bool, typer.Option(help=_("Ask the network at once how the account is."))] = True,
    as_json: AsJson = False,
) -> None:
    """Connect an account, or give it new keys, then look how it is."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.account import AccountNetwork
    from hub.domain.audit import OPERATOR
    from hub.domain.errors import Invalid
    from hub.services import connecting

    if network not in set(AccountNetwork):
        raise Invalid(
            _("Unknown network “{network}”: one of {known}.", network=network, known=", ".join(AccountNetwork)),
            field="network",
        )
    kind = AccountNetwork(network)
    if renew:
        _require_keys_only(kind, given=bool(territory or name or handle or options))
    if not territory and not renew and kind is not AccountNetwork.PORTAL:
        raise Invalid(_("Say which territory the account speaks for: --territory A-14."), field="territory")
    chosen = _options(options or [])
    hub = open_hub()
    if kind is AccountNetwork.FACEBOOK:
        keys = _facebook(hub, secret_file, exchanged=user_token, page=page, as_json=as_json)
        if keys is None:
            return
    else:
        keys = _x(secret_file, handle=handle, user_id=user_id) if kind is AccountNetwork.X else _PORTAL
    remote_id, called, user_name, secret = keys
    vault = hub.vault if secret else None
    with writing(hub.engine) as session:
        present = connecting.account_on(session, kind, remote_id) if renew else None
        if present is not None:
            assert present.id is not None
            assert vault is not None  # only the portal has no keys, and it was refused above
            account = connecting.renew_secret(session, vault, present.id, secret, by=OPERATOR, at=hub.now())
        elif renew:
            raise Invalid(_("There is no such account yet: leave --renew out to add it."), field="renew")
        else:
            account = connecting.add_account(
                session,
                vault,
                network=kind,
                name=name or called,
                remote_id=remote_id,
                handle=user_name,
                territory_code=territory.upper() or "FR",
                secret=secret,
                options=chosen,
                by=OPERATOR,
                at=hub.now(),
            )
    if not as_json:
        done = _("{account} has new keys.") if renew else _("{account} was added.")
        terminal.say(done.format(account=account.name))
    if check:
        assert account.id is not None
        account = connecting.check_account(hub, account.id, by=OPERATOR)
    if as_json:
        terminal.say_json(_told(account, {}))
    elif check:
        _say_findings(account, {})
    if check and account.light == "red":
        raise typer.Exit(terminal.TROUBLE)


def _require_keys_only(kind: AccountNetwork, *, given: bool) -> None:
    """Raise Invalid for a renewal that could not do all that was typed."""
    from hub.domain.account import AccountNetwork
    from hub.domain.errors import Invalid

    if kind is AccountNetwork.PORTAL:
        raise Invalid(_("The portal has no keys to renew."), field="renew")
    if given:
        raise Invalid(
            _(
                "--renew replaces the keys and nothing else, so nothing was changed. "
                "Leave --territory, --name, --handle and --option out."
            ),
            field="renew",
        )


_PORTAL: tuple[str, str, str | None, dict[str, str]] = ("portal", "Portail", None, {})


def _facebook(
    hub: Hub, file: Path | None, *, exchanged: bool, page: str, as_json: bool
) -> tuple[str, str, str | None, dict[str, str]] | None:
    """Number, name, handle and keys of a page; None when the pages were listed to choose from."""
    from channels import ChannelError
    from hub.commands import terminal
    from hub.domain.errors import Invalid, NotFound
    from hub.services.connecting import Unanswered

    given = terminal.read_secret(_("Token:"), file)
    if not given:
        raise Invalid(_("No token was given: put it on standard input or into --secret-file."), field="secret")
    if not exchanged:
        if not page:
            raise Invalid(_("Say which page the token is for: --page NUMBER."), field="page")
        return page, _("Page {number}", number=page), None, {"token": given}
    try:
        pages = hub.facebook_pages(given)
    except ChannelError as error:
        raise Unanswered(
            _("Facebook did not accept this token: {words} Sign in to the app again and copy a new one.", words=error)
        ) from error
    if page:
        for number, called, token, _tasks in pages:
            if number == page:
                return number, called, None, {"token": token}
        known = ", ".join(number for number, *_rest in pages) or "-"
        raise NotFound(_("This person has no page {number}; theirs are: {known}.", number=page, known=known))
    if as_json:
        terminal.say_json([{"id": one[0], "name": one[1], "tasks": list(one[3] or ())} for one in pages])
    else:
        columns = [_("Number"), _("Page"), _("Tasks")]
        terminal.table(columns, ((one[0], one[1], " ".join(one[3] or ())) for one in pages))
        terminal.warn(_("Choose one, and run the same command again with --page NUMBER."))
    return None


def _x(file: Path | None, *, handle: str, user_id: str) -> tuple[str, str, str | None, dict[str, str]]:
    """Number, name, handle and keys of an X account; its number stands in front of its access token."""
    from hub.domain.errors import Invalid

    secret = _x_keys(file)
    front = secret.get("access_token", "").partition("-")[0]
    number = user_id or (front if front.isdigit() else "")
    if not number:
        raise Invalid(_("The access token does not begin with the account's number: give --user-id."), field="user_id")
    called = handle.removeprefix("@")
    return number, f"@{called}", called, secret


def _x_keys(file: Path | None) -> dict[str, str]:
    """Four keys as JSON or as `name=value` lines; on a terminal each is asked for, unseen."""
    import json

    from hub.commands import terminal
    from hub.domain.account import AccountNetwork
    from hub.domain.errors import Invalid
    from hub.services.connecting import SECRET_NAMES

    names = SECRET_NAMES[AccountNetwork.X]
    typed = file is None or str(file) == "-"
    if typed and sys.stdin.isatty():
        return {name: terminal.read_secret(f"{name}:") for name in names}
    text = sys.stdin.read() if typed else terminal.read_secret("", file)
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else dict(_pairs(text.splitlines()))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        # The text itself may hold keys: it is never repeated, nor kept as the cause.
        message = _("Give the keys as name=value lines or as JSON, with the names: {names}.", names=", ".join(names))
        raise Invalid(message, field="secret")
    return {str(name): value for name, value in found.items()}


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError
            yield name.strip(), value.strip().strip("\"'")


def _options(given: list[str]) -> dict[str, Any]:
    from hub.domain.errors import Invalid

    chosen: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise Invalid(_("“{text}” is not an option: write for example two_step=true.", text=text), field="option")
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value
        chosen[name] = {"true": True, "false": False, "": None}.get(value.lower(), number)
    return chosen


def option(
    reference: Reference,
    given: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help=_("A choice; NAME= takes it back."))],
    as_json: AsJson = False,
) -> None:
    """Choose how an account is used."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import connecting

    hub = open_hub()
    with writing(hub.engine) as session:
        account = connecting.find_account(session, reference)
        assert account.id is not None
        account = connecting.choose_options(session, account.id, _options(given), by=OPERATOR, at=hub.now())
    if as_json:
        terminal.say_json({"id": account.id, "options": account.options})
        return
    chosen = ", ".join(f"{name}={str(value).lower()}" for name, value in sorted(account.options.items()))
    terminal.say(_("{account}: {options}", account=account.name, options=chosen or _("nothing chosen")))


def list_accounts(as_json: AsJson = False) -> None:
    """List all accounts."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import connecting, rationing, spending

    hub = open_hub()
    with reading(hub.engine) as session:
        accounts = connecting.list_accounts(session)
        left = rationing.rations(session, accounts, at=hub.now())
        read = {number: used for (number, _network), used in spending.read_this_month(session, at=hub.now()).items()}
        session.expunge_all()
    if as_json:
        costs = {number: {"month_reads": used.reads, "month_reads_usd": f"{used.dollars:.3f}"}
                 for number, used in read.items()}  # fmt: skip
        terminal.say_json([_told(account, left) | costs.get(account.id or 0, {}) for account in accounts])
        return
    columns = [
        *(_("Number"), _("Network"), _("Territory"), _("Name"), _("State"), _("Light"), _("Checked")),
        *(_("Posts left"), _("Read this month")),
    ]
    rows = (
        (
            account.id,
            account.network.value,
            account.territory_code,
            account.name,
            _(connecting.STATE_NAMES[account.state]),
            connecting.light_name(account),
            account.checked_at and account.checked_at.strftime("%Y-%m-%d %H:%M"),
            min((ration.left for ration in left.get(account.id or 0, ())), default=None),
            _("{count} ({amount} US dollars)", count=used.reads, amount=f"{used.dollars:.2f}")
            if (used := read.get(account.id or 0))
            else None,
        )
        for account in accounts
    )
    terminal.table(columns, rows, right=columns[:1])


def check(
    reference: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help=_("Number, name or network:territory; default: all."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask how accounts are; exit 1 when one is red."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.domain.audit import OPERATOR
    from hub.services import connecting, rationing

    hub = open_hub()
    with reading(hub.engine) as session:
        accounts = connecting.list_accounts(session) if reference is None else []
        if reference is not None:
            accounts = [connecting.find_account(session, reference)]
        left = rationing.rations(session, accounts, at=hub.now())
        session.expunge_all()
    checked = []
    for account in accounts:
        assert account.id is not None
        found = connecting.check_account(hub, account.id, by=OPERATOR)
        checked.append(found)
        if not as_json:
            _say_findings(found, left)
    if as_json:
        told = [_told(account, left) for account in checked]
        terminal.say_json(told if reference is None else told[0])
    if any(account.light == "red" for account in checked):
        raise typer.Exit(terminal.TROUBLE)


def _say_findings(account: Account, left: Mapping[int, Sequence[Ration]]) -> None:
    from hub.commands import terminal
    from hub.services import connecting
    from hub.services.findings import CURED_BY_KEYS

    terminal.say(f"{account.id} {account.name} ({connecting.short_name(account)}): {connecting.light_name(account)}")
    for words in connecting.sentences(account):
        terminal.say(f"  - {words}")
    for ration in left.get(account.id or 0, ()):
        terminal.say(f"  - {ration.sentence}")
    if account.state.value != "active":
        terminal.say("  - " + connecting.standing(account))
    if any(found["code"] in CURED_BY_KEYS for found in account.findings):
        command = f"relais account add {account.network.value} … --renew"
        terminal.say("  - " + _("New keys are given with “{command}”.", command=command))


def pause(
    reference: Reference, reason: Annotated[str, typer.Option(help=_("Why; the next person will want to know."))]
) -> None:
    """Pause an account."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import connecting

    hub = open_hub()
    with writing(hub.engine) as session:
        account = connecting.find_account(session, reference)
        assert account.id is not None
        connecting.pause(session, account.id, by=OPERATOR, at=hub.now(), reason=reason)
    terminal.say(_("{account} is paused: its deliveries wait.", account=account.name))


def resume(
    reference: Reference,
    reason: Annotated[str, typer.Option(help=_("Why it may go on."))] = "",
    as_json: AsJson = False,
) -> None:
    """Resume an account, and say what that releases."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import connecting

    hub = open_hub()
    with writing(hub.engine) as session:
        account = connecting.find_account(session, reference)
        assert account.id is not None
        released = connecting.resume(session, account.id, by=OPERATOR, at=hub.now(), reason=reason)
    if as_json:
        terminal.say_json({"id": account.id, "waiting": released.waiting, "due": released.due})
        return
    if not released.waiting:
        terminal.say(_("{account} goes on; no delivery waits for it.", account=account.name))
        return
    waiting = ngettext(
        "{account} goes on: {count} delivery waits for it.",
        "{account} goes on: {count} deliveries wait for it.",
        released.waiting,
        account=account.name,
    )
    due = ngettext(
        "{count} is due now; if it is too late, it goes to a person.",
        "{count} are due now; those that are too late go to a person.",
        released.due,
    )
    terminal.say(f"{waiting} {due}" if released.due else waiting)


def _told(account: Account, left: Mapping[int, Sequence[Ration]]) -> dict[str, Any]:
    from hub.services import connecting

    return connecting.told(account) | {"rations": [ration.told() for ration in left.get(account.id or 0, ())]}
