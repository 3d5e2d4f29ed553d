"""`relais approve`: it says what is approved, approves just that, and releases by name."""

from __future__ import annotations

from tests.commands.test_people_posts import A_POST, As, stage, typing, url

__all__ = ["stage", "typing", "url"]


def submitted(typing: As) -> str:
    number = str(typing.data("animator", *A_POST)["id"])
    typing("animator", "post", "submit", number)
    return number


def test_what_is_approved_is_said_in_a_few_lines(typing: As):
    number = submitted(typing)
    told = typing.data("coordinator", "post", "preview", number)

    ran = typing("coordinator", "approve", number)
    post = typing.data("coordinator", "post", "show", number)

    first = told["deliveries"][0]
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[:2] == [
        f"{first['destination']}  {first['account_name']} · 10/11/2026 18:00 Europe/Paris · "
        "D-35 (100.0 % of its people, 0.0 % of others)",
        "  | Portes ouvertes au CFA",
    ]
    assert post["approvals"][0]["fingerprint"] == told["fingerprint"]


def test_a_given_fingerprint_is_sent_as_it_is_and_nothing_is_said(typing: As):
    number = submitted(typing)
    fingerprint = typing.data("coordinator", "post", "preview", number)["fingerprint"]

    stale = typing("coordinator", "approve", number, "--fingerprint", "0" * 64)
    good = typing("coordinator", "approve", number, "--fingerprint", fingerprint)

    assert (stale.code, good.code) == (5, 0)
    assert good.out.count("\n") == 1


def test_a_held_destination_goes_out_once_it_is_named(typing: As):
    number = submitted(typing)
    page, portal = (one["destination"] for one in typing.data("coordinator", "post", "preview", number)["deliveries"])
    typing("coordinator", "approve", number, "--hold", f"{page}=Pas encore", "--hold", f"{portal}=Plus tard")

    unnamed = typing("coordinator", "approve", number)
    released = typing.data("deputy", "approve", number, "--release", page)

    assert unnamed.code == 5
    assert f"Held: {page} (Pas encore), {portal} (Plus tard)." in unnamed.err
    assert [one["destination"] for one in released["deliveries"]] == [page]
    assert f"Held: {portal} (Plus tard)" in typing("animator", "post", "show", number).out
