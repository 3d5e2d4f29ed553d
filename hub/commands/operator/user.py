"""`relais user`: people, their roles and their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.domain.person import HeldRole, Person, RoleKind

Email = Annotated[str, typer.Argument(metavar="EMAIL", help=_("E-mail address of the person."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]
PasswordFile = Annotated[
    Path | None, typer.Option(help=_("File that holds the password; - reads it from standard input."))
]


def build() -> typer.Typer:
    """The commands on people."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("add", help=_("Add a person; without a password they cannot sign in yet."))(add)
    app.command("list", help=_("List people with their roles."))(list_people)
    app.command("role", help=_("Give a person a role for a territory, or take it away."))(role)
    app.command("password", help=_("Set a person's password."))(password)
    app.command("disable", help=_("Shut a person out and revoke their tokens."))(disable)
    app.command("enable", help=_("Let a disabled person in again."))(enable)
    app.command("token", help=_("Make a token for a person, shown once; or list or revoke theirs."))(token)
    factor = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    factor.callback()(lambda: None)  # keeps `reset` a command of its own although it is the only one
    factor.command("reset", help=_("Take a lost second factor away; its owner sets up a new one."))(reset_factor)
    app.add_typer(factor, name="factor", help=_("The second factor of people."))
    return app


def add(
    email: Email,
    name: Annotated[str, typer.Option(help=_("First and last name."))],
    roles: Annotated[
        list[str] | None, typer.Option("--role", metavar="KIND:TERRITORY", help=_("Such as animator:A-14; repeatable."))
    ] = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a person, with roles and a password at will, all or nothing."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import joining

    wanted = [_role(text) for text in roles or ()]
    hub = open_hub()
    known = _hashed(password_file, email, name) if password_file is not None else None
    with writing(hub.engine) as session:
        at = hub.now()
        person = joining.add_person(session, email=email, name=name, at=at, by=OPERATOR, password_hash=known)
        assert person.id is not None
        for kind, territory in wanted:
            joining.give_role(session, person.id, kind, territory, by=OPERATOR, at=at)
        held = joining.actor_for(session, person.id).roles
    if as_json:
        terminal.say_json(_told(person, held))
    else:
        terminal.say(_("{name} <{email}> was added.", name=person.name, email=person.email))


def list_people(as_json: AsJson = False) -> None:
    """List everybody."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import joining

    with reading(open_hub().engine) as session:
        people = joining.list_people(session)
        told = [_told(person, held) for person, held in people]
        rows = [
            (person.id, person.email, person.name, " ".join(_short(one) for one in held), _access(person))
            for person, held in people
        ]
    if as_json:
        terminal.say_json(told)
        return
    columns = [_("Number"), _("E-mail"), _("Name"), _("Roles"), _("Access")]
    terminal.table(columns, rows, right=columns[:1])


def role(
    email: Email,
    kind: Annotated[str, typer.Argument(metavar="ROLE", help=_("animator, coordinator, analyst or administrator."))],
    territory: Annotated[str, typer.Argument(metavar="TERRITORY", help=_("Code of the territory, such as A-14."))],
    take: Annotated[bool, typer.Option("--take", help=_("Take the role away."))] = False,
) -> None:
    """Give or take one role."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import joining

    wanted, code = _role(f"{kind}:{territory}")
    hub = open_hub()
    with writing(hub.engine) as session:
        person = joining.person_by_email(session, email)
        assert person.id is not None
        change = joining.take_role if take else joining.give_role
        change(session, person.id, wanted, code, by=OPERATOR, at=hub.now())
        held = joining.list_roles(session, person.id)
    roles = " ".join(_short(one) for one in held) or _("no role")
    terminal.say(_("{name} now holds: {roles}.", name=person.name, roles=roles))


def password(email: Email, password_file: PasswordFile = None) -> None:
    """Set a password, read from a file or standard input."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading, writing
    from hub.domain.audit import OPERATOR
    from hub.services import joining

    hub = open_hub()
    with reading(hub.engine) as session:
        person = joining.person_by_email(session, email)
        session.expunge(person)
    assert person.id is not None
    known = _hashed(password_file, person.email, person.name)
    with writing(hub.engine) as session:
        joining.set_password(session, person.id, password_hash=known, by=OPERATOR, at=hub.now())
    terminal.say(_("{name} has a new password.", name=person.name))


def disable(email: Email) -> None:
    """Shut a person out."""
    _switch(email, on=False)


def enable(email: Email) -> None:
    """Let a person in again."""
    _switch(email, on=True)


def _switch(email: str, *, on: bool) -> None:
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import joining

    hub = open_hub()
    with writing(hub.engine) as session:
        person = joining.person_by_email(session, email)
        assert person.id is not None
        change = joining.enable if on else joining.disable
        change(session, person.id, by=OPERATOR, at=hub.now())
    if on:
        terminal.say(_("{name} may sign in again. Earlier tokens stay revoked.", name=person.name))
    else:
        terminal.say(_("{name} is shut out; their tokens are revoked.", name=person.name))


def token(
    email: Email,
    name: Annotated[str | None, typer.Option(help=_("What the token is for."))] = None,
    show: Annotated[bool, typer.Option("--list", help=_("List the person's tokens."))] = False,
    revoke: Annotated[int | None, typer.Option(metavar="NUMBER", help=_("Revoke that token."))] = None,
    as_json: AsJson = False,
) -> None:
    """Make, list or revoke tokens."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.domain.errors import Invalid, NotFound
    from hub.services import joining

    if sum((name is not None, show, revoke is not None)) != 1:
        raise Invalid(_("Say one of --name (a new token), --list, or --revoke."), field="name")
    hub = open_hub()
    with writing(hub.engine) as session:
        person = joining.person_by_email(session, email)
        assert person.id is not None
        fresh = None
        if name is not None:
            fresh = joining.make_token(session, person.id, name, by=OPERATOR, at=hub.now())
        if revoke is not None:
            if revoke not in {one.id for one in joining.list_tokens(session, person.id)}:
                raise NotFound(_("{name} has no token {number}. See --list.", name=person.name, number=revoke))
            joining.revoke_token(session, revoke, by=OPERATOR, at=hub.now())
        tokens = joining.list_tokens(session, person.id)
    told = [
        {
            "id": one.id,
            "name": one.name,
            "created_at": one.created_at,
            "last_used_at": one.last_used_at,
            "revoked_at": one.revoked_at,
        }
        for one in tokens
    ]
    if fresh is not None:
        if as_json:
            terminal.say_json({"token": fresh, **told[-1]})
        else:
            terminal.warn(_("Here is the token; it is shown this once. Keep it like a password."))
            terminal.say(fresh)
    elif as_json:
        terminal.say_json(told)
    elif revoke is not None:
        terminal.say(_("The token is revoked."))
    else:
        columns = [_("Number"), _("Name"), _("Made"), _("Last used"), _("Revoked")]
        terminal.table(columns, (tuple(_cell(value) for value in one.values()) for one in told), right=columns[:1])


def reset_factor(email: Email) -> None:
    """Take away the second factor of somebody who lost it; their sessions end."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import joining, proving

    hub = open_hub()
    with writing(hub.engine) as session:
        person = joining.person_by_email(session, email)
        assert person.id is not None
        proving.reset(session, person.id, by=OPERATOR, at=hub.now())
    terminal.say(_("{name} has no second factor any more; their sessions have ended.", name=person.name))


def _cell(value: object) -> object:
    from datetime import datetime

    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else value


def _role(text: str) -> tuple[RoleKind, str]:
    """A role as it is typed, `animator:A-14`."""
    from hub.domain.errors import Invalid
    from hub.domain.person import RoleKind

    kind, colon, territory = text.partition(":")
    if not colon or not territory or kind not in set(RoleKind):
        raise Invalid(
            _(
                "“{text}” is not a role for a territory: write for example animator:A-14. Roles: {roles}.",
                text=text,
                roles=", ".join(RoleKind),
            ),
            field="role",
        )
    return RoleKind(kind), territory.strip().upper()


def _hashed(file: Path | None, email: str, name: str) -> str:
    """The hash of a password that is good enough, read unseen; slow, so outside any transaction."""
    from hub import passwords
    from hub.commands import terminal

    plain = terminal.read_secret(_("Password:"), file)
    passwords.require_good(plain, email=email, name=name)
    return passwords.hashed(plain)


def _told(person: Person, held: Iterable[HeldRole]) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "roles": [{"role": one.kind.value, "territory": one.territory_code} for one in held],
        "has_password": person.password_hash is not None,
        "disabled_at": person.disabled_at,
    }


def _short(role: HeldRole) -> str:
    return f"{role.kind.value}:{role.territory_code}"


def _access(person: Person) -> str:
    if person.disabled_at is not None:
        return _("disabled")
    return _("open") if person.password_hash is not None else _("no password yet")
