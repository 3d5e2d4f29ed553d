"""`relais delivery`: what became of each delivery, and what a person decides about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.language import _, ngettext

app = typer.Typer(help=_("Look at deliveries, decide open questions, take posts down."), no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="ID", help=_("Number of the delivery."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]


@app.command("list", help=_("List deliveries, by due time."))
def list_deliveries(
    state: Annotated[list[str] | None, typer.Option(help=_("Only those in this state; repeatable."))] = None,
    post: Annotated[int | None, typer.Option(help=_("Only those of this post."))] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=_("At most so many."))] = 100,
    as_json: AsJson = False,
) -> None:
    """Print a table of deliveries."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    found = client.require_login().get("/deliveries", state=state, post=post, limit=limit)
    if as_json:
        terminal.say_json(found)
        return
    if not found:
        terminal.say(_("No delivery."))
        return
    columns = [_("Delivery"), _("Post"), _("When"), _("Account"), _("Territory"), _("State"), _("Reason")]
    terminal.table(
        columns,
        (
            (
                one["id"],
                one["post"],
                showing.local(one["wall_time"], one["zone"]),
                one["account_name"],
                one["territory_name"],
                one["state_label"],
                one["reason"],
            )
            for one in found
        ),
        right=columns[:2],
    )


@app.command("show", help=_("Show the time line of one delivery."))
def show(number: Number, as_json: AsJson = False) -> None:
    """Print due time, every try, figures, and what may be done."""
    from hub.commands import client

    _print(client.require_login().get(f"/deliveries/{number}"), as_json)


@app.command("resolve", help=_("Decide about a delivery that waits for a person."))
def resolve(
    number: Number,
    action: Annotated[str, typer.Argument(metavar="found|send|give-up", help=_("What is done about it."))],
    remote_id: Annotated[str | None, typer.Option(help=_("For found: the post's id on the network."))] = None,
    reason: Annotated[str, typer.Option(help=_("Why."))] = "",
    as_json: AsJson = False,
) -> None:
    """Carry out a decision."""
    from hub.commands import client

    body = {"action": action, "reason": reason} | ({"remote_id": remote_id} if remote_id else {})
    _print(client.require_login().post(f"/deliveries/{number}/resolve", body), as_json)


@app.command("remove", help=_("Take a live post down."))
def remove(
    number: Number, reason: Annotated[str, typer.Option(help=_("Why it is taken down."))], as_json: AsJson = False
) -> None:
    """Ask for removal; the clock does it."""
    from hub.commands import client, terminal

    told = client.require_login().post(f"/deliveries/{number}/remove", {"reason": reason})
    if as_json:
        terminal.say_json(told)
    else:
        terminal.say(_("It will be taken down; “relais delivery show {number}” tells when it is done.", number=number))


def _print(told: dict[str, Any], as_json: bool) -> None:
    from hub.commands import terminal
    from hub.commands.people import showing

    if as_json:
        terminal.say_json(told)
        return
    zone = told["zone"]
    terminal.say(
        _(
            "Delivery {number} of post {post} on {account}, for {territory}: {state}",
            number=told["id"],
            post=told["post"],
            account=told["account_name"],
            territory=told["territory_name"],
            state=told["state_label"],
        )
    )
    if told["reason"]:
        terminal.say("  " + told["reason"])
    terminal.say("  " + _("Limit: {limit}", limit=showing.limit(told["gate"], told["unlimited"])))
    if told["url"]:
        terminal.say("  " + told["url"])
    terminal.say("")
    lines = [(showing.local(told["wall_time"], zone), _("due"), "")]
    for one in told["attempts"]:
        outcome = one["outcome"] or _("under way")
        detail = f"{outcome}: {one['detail']}" if one["detail"] else outcome
        lines.append((showing.instant(one["started_at"], zone), f"{one['kind']} ({one['phase']})", detail))
    if told["read_back"]:
        looks = ngettext("read back {count} time", "read back {count} times", told["read_back"]["looks"])
        lines.append((showing.instant(told["read_back"]["since"], zone), _("unknown"), looks))
    if told["removal"]:
        lines.append((showing.instant(told["removal"]["at"], zone), _("to take down"), told["removal"]["reason"]))
    terminal.table([_("When"), _("What"), _("Outcome")], lines)
    if told["figures"]:
        terminal.say("")
        terminal.table(
            [_("Figure"), _("Kind"), _("Value"), _("Read")],
            (
                (
                    one["metric"],
                    _(showing.UNITS.get(one["unit"], one["unit"])),
                    showing.figure(one["value"]) if one["value"] is not None else _missing(one["missing"]),
                    showing.instant(one["last_read_at"], zone),
                )
                for one in told["figures"]
            ),
        )
    if told["actions"]:
        terminal.say("")
        terminal.say(_("You may: {actions}.", actions=", ".join(told["actions"])))


def _missing(why: str | None) -> str:
    from hub.commands.people import showing

    return f"{showing.NOTHING} ({why})" if why else showing.NOTHING
