"""`relais post`, `approve`, `return`: write posts, hand them in, approve them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.commands.client import Client

app = typer.Typer(help=_("Write posts, look at them, hand them in."), no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="ID", help=_("Number of the post."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]
Kind = Annotated[str | None, typer.Option(help=_("event, option, meeting, advice or news."))]
Text = Annotated[str | None, typer.Option(help=_("The words; {academie} and {territoire} are filled in."))]
Link = Annotated[str | None, typer.Option(help=_("A web address to show with it."))]
When = Annotated[str | None, typer.Option(metavar="DATE TIME", help=_("When it goes out: “2026-12-01 18:00”."))]
Zone = Annotated[str | None, typer.Option(help=_("Time zone, or local: the time of each territory (usual)."))]
Fold = Annotated[str | None, typer.Option(help=_("earlier or later, when that hour occurs twice."))]
Territories = Annotated[
    list[str] | None, typer.Option("--territory", help=_("Whom it is for, such as A-14 or D-35; repeatable."))
]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help=_("Number, name, or network:territory; repeatable."))
]
Images = Annotated[
    list[str] | None, typer.Option("--image", metavar="PATH=ALT", help=_("A picture and its words; repeatable."))
]
Unlimited = Annotated[
    bool | None,
    typer.Option(
        "--accept-unlimited/--no-accept-unlimited", help=_("On X, which cannot limit it, everybody may see it.")
    ),
]
UselessAfter = Annotated[str | None, typer.Option(metavar="DATE TIME", help=_("Not published after this."))]
Variants = Annotated[
    list[str] | None,
    typer.Option("--variant", metavar="ACCOUNT=TEXT", help=_("Own words for one account; repeatable.")),
]
Like = Annotated[
    int | None,
    typer.Option("--like", metavar="ID", help=_("Begin with a copy of that post; what else is given replaces it.")),
]
From = Annotated[str | None, typer.Option("--from", metavar="FILE", help=_("A post file (TOML); - is standard input."))]


# --- Writing ----------------------------------------------------------------------------------------------


@app.command("draft", help=_("Write a post: with options, or from a file."))
def draft(
    kind: Kind = None,
    text: Text = None,
    link: Link = None,
    when: When = None,
    zone: Zone = None,
    fold: Fold = None,
    territory: Territories = None,
    account: Accounts = None,
    image: Images = None,
    accept_unlimited: Unlimited = None,
    useless_after: UselessAfter = None,
    variant: Variants = None,
    from_file: From = None,
    like: Like = None,
    as_json: AsJson = False,
) -> None:
    """Write a new post; what was typed is kept in a file when it is refused."""
    from hub.commands import client, terminal
    from hub.commands.people import postfile

    typed = postfile.read_file(from_file) if from_file else {}
    options = _options(
        kind, text, link, when, zone, fold, territory, account, image, accept_unlimited, useless_after, variant
    )
    worth = bool(options) or from_file == "-"
    with _nothing_lost(typed | options, worth=worth):
        earlier = _copied(like, typed | options) if like is not None else {}
    with _nothing_lost(earlier | typed | options, worth=worth):
        typed = earlier | typed | _checked(options)
        here = client.require_login()
        if earlier:
            typed["variants"] = _merged_variants(here, earlier["variants"], typed["variants"])
        post = here.post("/posts", _with_pictures(here, typed))
    if as_json:
        terminal.say_json(post)
        return
    terminal.say(_("Post {number} is written.", number=post["id"]))
    terminal.say(_("Look at it with “relais post preview {number}”, then “relais post submit {number}”.",
                   number=post["id"]))  # fmt: skip


def _copied(number: int, given: dict[str, Any]) -> dict[str, Any]:
    """An earlier post as it was typed; with a new time, what belonged to the old one is left out."""
    from hub.commands import client

    earlier: dict[str, Any] = client.require_login().get(f"/posts/{number}")["draft"]
    return earlier | ({"fold": None, "useless_after": None} if "when" in given else {})


@app.command("edit", help=_("Change what is given, and nothing else."))
def edit(
    number: Number,
    kind: Kind = None,
    text: Text = None,
    link: Link = None,
    when: When = None,
    zone: Zone = None,
    fold: Fold = None,
    territory: Territories = None,
    account: Accounts = None,
    image: Images = None,
    accept_unlimited: Unlimited = None,
    useless_after: UselessAfter = None,
    variant: Variants = None,
    from_file: From = None,
    version: Annotated[
        int | None, typer.Option(help=_("The version that you saw; refused when somebody changed it since."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a post; “” empties a link or an end."""
    from hub.commands import client, terminal
    from hub.commands.people import postfile
    from hub.domain.errors import Invalid

    given = postfile.read_file(from_file) if from_file else {}
    options = _options(
        kind, text, link, when, zone, fold, territory, account, image, accept_unlimited, useless_after, variant
    )
    if not given and not options:
        raise Invalid(_("Say what to change, such as --text or --when."))
    with _nothing_lost(given | options, worth=bool(options) or from_file == "-"):
        given |= _checked(options)
        here = client.require_login()
        seen = here.get(f"/posts/{number}")
        changed = seen["draft"] | {name: value for name, value in given.items() if name != "variants"}
        changed["variants"] = _merged_variants(here, seen["draft"]["variants"], given.get("variants", {}))
        body = _with_pictures(here, changed)
        post = here.put(f"/posts/{number}", body, version=version if version is not None else seen["version"])
    if as_json:
        terminal.say_json(post)
        return
    terminal.say(_("Post {number} is changed; it is version {version} now.", number=number, version=post["version"]))
    if seen["state"] != post["state"]:
        terminal.say(_("It is a draft again: submit it when it is ready."))


def _options(
    kind: str | None,
    text: str | None,
    link: str | None,
    when: str | None,
    zone: str | None,
    fold: str | None,
    territory: list[str] | None,
    account: list[str] | None,
    image: list[str] | None,
    accept_unlimited: bool | None,
    useless_after: str | None,
    variant: list[str] | None,
) -> dict[str, Any]:
    """What was given as options, under the names of a post file, not checked yet."""
    given = {
        "kind": kind,
        "text": text,
        "variants": variant or None,
        "link": link,
        "pictures": image or None,
        "when": when,
        "zone": zone,
        "fold": fold,
        "useless_after": useless_after,
        "audience": territory or None,
        "accounts": account or None,
        "accepts_unlimited": accept_unlimited,
    }
    return {name: value for name, value in given.items() if value is not None}


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """Options in the form of a post file; Invalid with all that cannot be read."""
    from hub.commands.people import postfile
    from hub.domain.errors import FieldProblem, Invalid

    typed = dict(options)
    problems: list[FieldProblem] = []
    for name in ("when", "useless_after"):
        if typed.get(name):
            try:
                typed[name] = postfile.wall_time(typed[name], field=name)
            except Invalid as error:
                problems += error.problems
    for name, option, example in (
        ("variants", "--variant", "--variant x:FR=…"),
        ("pictures", "--image", '--image photo.jpg="…"'),
    ):
        if name in typed:
            try:
                pairs = [postfile.split(one, option=option, example=example) for one in typed[name]]
            except Invalid as error:
                problems += error.problems
            else:
                typed[name] = _as_pictures(pairs) if name == "pictures" else dict(pairs)
    for name in ("link", "useless_after", "fold"):
        if typed.get(name) == "":
            typed[name] = None
    if problems:
        raise Invalid(problems)
    return typed


def _as_pictures(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"path": path, "alt": alt} for path, alt in pairs]


def _merged_variants(here: Client, before: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Own words by account: those given replace, “” takes away, the others stay."""
    if not given:
        return before
    merged = dict(before)
    names: dict[str, str] = {}
    for one in here.get("/accounts"):
        for name in (str(one["id"]), one["name"], f"{one['network']}:{one['territory']}"):
            names.setdefault(name.casefold(), str(one["id"]))
    for name, words in given.items():
        key = names.get(name.casefold(), name)
        merged.pop(key, None)
        if words:
            merged[key] = words
    return merged


def _with_pictures(here: Client, typed: dict[str, Any]) -> dict[str, Any]:
    """The same with pictures uploaded: files became ids."""
    from pathlib import Path

    from hub.domain.errors import FieldProblem, Invalid

    pictures, problems = [], []
    for number, picture in enumerate(typed.get("pictures") or []):
        if "path" not in picture:
            pictures.append(picture)
            continue
        try:
            kept = here.upload("/media", Path(picture["path"]))
            pictures.append({"id": kept["id"], "alt": picture.get("alt", "")})
        except Invalid as error:
            problems += [
                FieldProblem(f"pictures.{number}", f"{picture['path']}: {one.message}") for one in error.problems
            ]
    if problems:
        raise Invalid(problems)
    return typed | {"pictures": pictures} if pictures else typed


@contextmanager
def _nothing_lost(typed: dict[str, Any], *, worth: bool) -> Iterator[None]:
    """Whatever goes wrong inside: say every problem with its field, and keep what was typed in a file."""
    from hub.commands import terminal
    from hub.domain.errors import HubError, Invalid

    try:
        yield
    except HubError as error:
        for problem in error.problems if isinstance(error, Invalid) else ():
            terminal.warn(f"{problem.field}: {problem.message}" if problem.field else problem.message)
        if not isinstance(error, Invalid):
            terminal.warn(str(error))
        if worth:
            _keep(typed)
        raise typer.Exit(terminal.exit_code(error)) from error


def _keep(typed: dict[str, Any]) -> None:
    """Write what was typed to a file of its own, or show it where that cannot be."""
    from hub.commands import terminal
    from hub.commands.people import postfile
    from hub.domain.errors import Invalid

    kept = dict(typed)
    for name, value in typed.items():
        try:
            kept |= _checked({name: value})
        except (Invalid, AttributeError):
            continue  # what cannot be read is kept as it was typed
    file = postfile.save(kept)
    if file is not None:
        terminal.warn(_("What you typed is kept in {file}: correct it, then use --from {file}.", file=file))
    else:
        terminal.warn(_("This folder cannot be written, so here is what you typed:"))
        terminal.warn(postfile.written(kept))


# --- Looking ----------------------------------------------------------------------------------------------


@app.command("show", help=_("Show one post with everything that belongs to it."))
def show(number: Number, as_json: AsJson = False) -> None:
    """Print a post."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    post = client.require_login().get(f"/posts/{number}")
    if as_json:
        terminal.say_json(post)
        return
    terminal.say(_state_line(post))
    terminal.say(_("For: {names}", names=", ".join(f"{one['name']} ({one['code']})" for one in post["audience"])))
    terminal.say(_("When: {moment}", moment=showing.local(post["wall_time"], post["zone"])))
    if post["return_reason"]:
        terminal.say(_("Returned: {reason}", reason=post["return_reason"]))
    terminal.say("")
    terminal.say(post["draft"]["text"])
    if post["draft"]["link"]:
        terminal.say(post["draft"]["link"])
    terminal.say("")
    if post["deliveries"]:
        terminal.table(
            [_("Delivery"), _("Account"), _("Territory"), _("When"), _("State")],
            (
                (one["id"], one["account_name"], one["territory_name"], showing.local(one["wall_time"], one["zone"]),
                 one["state_label"])
                for one in post["deliveries"]
            ),
        )  # fmt: skip
    else:
        accounts = ", ".join(f"{one['account_name']} ({one['account']})" for one in post["destinations"])
        terminal.say(_("Accounts: {names}", names=accounts or showing.NOTHING))
    held = [line for one in post["approvals"][-1:] for line in one["lines"] if line["verdict"] == "held"]
    for line in held:
        terminal.say(_("Held: {destination} ({reason})", destination=line["destination"], reason=line["reason"]))
    if post["actions"]:
        terminal.say(_("You may: {actions}.", actions=", ".join(post["actions"])))


def _state_line(post: dict[str, Any]) -> str:
    state = post["progress_label"] or post["state_label"]
    return _(
        "Post {number}, version {version}, by {author}: {state}",
        number=post["id"],
        version=post["version"],
        author=post["author"]["name"],
        state=state,
    )


@app.command("list", help=_("List the posts that you may see, newest first."))
def list_posts(
    state: Annotated[list[str] | None, typer.Option(help=_("Only those in this state; repeatable."))] = None,
    mine: Annotated[bool, typer.Option("--mine", help=_("Only your own."))] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help=_("At most so many."))] = 50,
    before: Annotated[int | None, typer.Option(help=_("Go on from this number."))] = None,
    as_json: AsJson = False,
) -> None:
    """Print a table of posts."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    posts = client.require_login().get("/posts", state=state, mine=mine or None, limit=limit, before=before)
    if as_json:
        terminal.say_json(posts)
        return
    if not posts:
        terminal.say(_("No post yet. “relais post draft” writes one."))
        return
    columns = [_("Post"), _("State"), _("When"), _("For"), _("Author"), _("Begins")]
    terminal.table(
        columns,
        (
            (
                one["id"],
                one["progress_label"] or one["state_label"],
                showing.local(one["wall_time"], one["zone"]),
                " ".join(one["audience"][:4]) + (" …" if len(one["audience"]) > 4 else ""),
                one["author"]["name"],
                one["title"],
            )
            for one in posts
        ),
        right=columns[:1],
    )


@app.command("preview", help=_("Show every delivery that the post would become."))
def preview(number: Number, as_json: AsJson = False) -> None:
    """Print account, words, limit, time, cost and problems of each delivery."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    told = client.require_login().get(f"/posts/{number}/preview")
    if as_json:
        terminal.say_json(told)
        return
    for one in told["deliveries"]:
        terminal.say(f"{one['destination']}  {one['account_name']} · {one['territory_name']}")
        terminal.say("  " + _("When: {moment}", moment=showing.local(one["wall_time"], one["zone"])))
        terminal.say("  " + _("Limit: {limit}", limit=showing.limit(one["gate"], one["unlimited"])))
        if float(one["cost"]):
            terminal.say("  " + _("Cost: {cost} USD", cost=one["cost"]))
        for line in one["text"].splitlines():
            terminal.say(f"  | {line}")
        if one["link"] and one["link"] not in one["text"]:
            terminal.say(f"  | {one['link']}")
        for problem in one["problems"]:
            terminal.say("  ✗ " + problem)
        for warning in one["warnings"]:
            terminal.say("  ! " + warning)
        terminal.say("")
    if not told["deliveries"]:
        terminal.say(_("This post has no account to go out on. Choose one with “relais post edit”."))
    terminal.say(_("Fingerprint: {fingerprint}", fingerprint=told["fingerprint"]))


# --- Steps ------------------------------------------------------------------------------------------------


def _step(number: int, step: str, body: dict[str, Any], as_json: bool) -> None:
    from hub.commands import client, terminal

    post = client.require_login().post(f"/posts/{number}/{step}", body)
    if as_json:
        terminal.say_json(post)
    else:
        terminal.say(_state_line(post))
        if post.get("advice"):
            terminal.warn(post["advice"])


@app.command("submit", help=_("Hand a post to the coordinators."))
def submit(
    number: Number,
    confirm_repeats: Annotated[
        bool, typer.Option("--confirm-repeats", help=_("The same words are meant to be said again."))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a post."""
    _step(number, "submit", {"confirm_repeats": confirm_repeats}, as_json)


@app.command("withdraw", help=_("Take a post back; what waits is cancelled."))
def withdraw(
    number: Number, reason: Annotated[str, typer.Option(help=_("Why."))] = "", as_json: AsJson = False
) -> None:
    """Withdraw a post."""
    _step(number, "withdraw", {"reason": reason}, as_json)


def approve(
    number: Number,
    hold: Annotated[
        list[str] | None,
        typer.Option("--hold", metavar="DEST=REASON", help=_("Hold a destination of the preview back; repeatable.")),
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option(metavar="DEST", help=_("Let a held destination of an approved post go out; repeatable.")),
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help=_("What the preview showed; refused when the post says something else now."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Approve a post: what the given fingerprint stands for, else what is printed here."""
    from hub.commands.people import postfile

    held = dict(postfile.split(one, option="--hold", example='--hold 3="…"') for one in hold or ())
    seen = fingerprint or _print_what_is_approved(number, aside=as_json)
    _step(number, "approve", {"hold": held, "release": release or [], "fingerprint": seen}, as_json)


def _print_what_is_approved(number: int, *, aside: bool) -> str:
    """Say in a few lines what a post would become (aside: on standard error); the fingerprint of just that."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    told = client.require_login().get(f"/posts/{number}/preview")
    say = terminal.warn if aside else terminal.say
    for one in told["deliveries"]:
        when, limit = showing.local(one["wall_time"], one["zone"]), showing.limit(one["gate"], one["unlimited"])
        say(f"{one['destination']}  {one['account_name']} · {when} · {limit}")
        say(f"  | {one['text'].strip().splitlines()[0]}")
        for problem in one["problems"]:
            say("  ✗ " + problem)
        for warning in one["warnings"]:
            say("  ! " + warning)
    return str(told["fingerprint"])


def give_back(
    number: Number,
    reason: Annotated[str, typer.Option(help=_("Why, so that its author knows what to change."))],
    as_json: AsJson = False,
) -> None:
    """Return a post."""
    _step(number, "return", {"reason": reason}, as_json)
