"""Granted pages are linked to territories: proposed by name, refused with a reason, made or renewed in one go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, col, select

from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.audit import AuditEntry
from hub.domain.errors import Invalid
from hub.domain.person import RoleKind
from hub.secrets import Vault
from hub.services import geotargeting, linking
from hub.services.linking import Grant, Offer
from tests.services.desk import Desk, told

ALL = ("ANALYZE", "CREATE_CONTENT")


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


def grant(number: int, name: str, tasks: Sequence[str] | None = ALL) -> Grant:
    return Grant(str(number), name, f"planted-token-{number}", None if tasks is None else tuple(tasks))


def offered(desk: Desk, *grants: Grant, by: str = "coordinator") -> list[Offer]:
    with reading(desk.stage.hub.engine) as session:
        return linking.offers(session, grants, by=desk.who(by))


def linked(desk: Desk, vault: Vault, grants: Sequence[Grant], by: str = "coordinator", **chosen: str) -> list[Account]:
    typed = {name.removeprefix("page"): value for name, value in chosen.items()}
    with writing(desk.stage.hub.engine) as session:
        made = linking.link(session, vault, grants, typed, by=desk.who(by), at=desk.now)
        session.flush()
        return [_apart(session, account) for account in made]


def _apart(session: Session, account: Account) -> Account:
    session.refresh(account)
    session.expunge(account)
    return account


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Ma seconde chance · Lille", "A-09"),
        ("La seconde chance en Loire-Atlantique", "D-44"),
        ("Ma seconde chance à BESANÇON", "A-03"),
        ("Seconde chance Bretagne", "R-53"),
        ("Orléans-Tours : la seconde chance", "A-18"),
        ("Ma seconde chance Paris", "A-01"),
        ("Ma seconde chance", None),
        ("La France qui apprend", None),
        ("Lillebonne bouge", None),
    ],
)
def test_a_territory_is_proposed_by_the_name_of_the_page(desk: Desk, name: str, code: str | None):
    [offer] = offered(desk, grant(1, name))

    assert (offer.territory, offer.account, offer.obstacle, offer.remark) == (code, None, None, None)


def test_a_territory_that_has_its_page_is_not_proposed_again(desk: Desk):
    [offer] = offered(desk, grant(1, "Une autre page de Rennes"))

    assert offer.territory is None


def test_a_page_that_is_here_is_offered_for_renewal_and_comes_first(desk: Desk):
    offers = offered(desk, grant(1, "Ma seconde chance Lille"), grant(1002, "Page rennes"))

    assert [offer.grant.id for offer in offers] == ["1002", "1"]
    assert offers[0].account is not None
    assert (offers[0].account.id, offers[0].territory) == (desk.stage.accounts["rennes"], "A-14")


def test_a_page_without_the_task_to_publish_is_explained_and_one_without_figures_remarked(desk: Desk):
    reader, writer = offered(desk, grant(1, "Lille", ("CREATE_CONTENT",)), grant(2, "Lyon", ("ANALYZE",)))

    assert (reader.obstacle, reader.remark) == (
        None,
        "You may publish there, but not read its figures: reach will be missing.",
    )
    assert (writer.obstacle or "").startswith("You may not publish on this page.")


def test_tasks_of_pages_of_the_new_kind_and_those_nobody_told_are_good(desk: Desk):
    new = grant(1, "Lille", ("PROFILE_PLUS_CREATE_CONTENT", "PROFILE_PLUS_ANALYZE"))

    assert [(one.obstacle, one.remark) for one in offered(desk, new, grant(2, "Lyon", None))] == [(None, None)] * 2


def test_a_page_that_others_look_after_is_not_touched(desk: Desk, vault: Vault):
    desk.join("north", RoleKind.COORDINATOR, "A-09")
    pages = [grant(1001, "Page national"), grant(1002, "Page rennes")]

    offers = offered(desk, *pages, by="north")
    with pytest.raises(Invalid) as refused:
        linked(desk, vault, pages, by="north", page1002="Lille")

    assert [(one.account.name if one.account else None, bool(one.obstacle)) for one in offers] == [
        ("Page national", True),
        (None, True),
    ]
    assert told(refused) == [("territory-1002", "This page is in Relais already, and others look after it.")]


def test_chosen_pages_are_made_or_renewed_and_it_is_noted(desk: Desk, vault: Vault):
    pages = [grant(1, "Ma seconde chance Lille"), grant(2, "Ma seconde chance"), grant(1002, "Page rennes")]

    renewed, made = linked(desk, vault, pages, page1="Lille (académie)", page1002="")

    assert (renewed.id, renewed.territory_code) == (desk.stage.accounts["rennes"], "A-14")
    assert (made.name, made.remote_id, made.territory_code) == ("Ma seconde chance Lille", "1", "A-09")
    assert vault.open(made.id or 0, made.secret or "") == {"token": "planted-token-1"}
    assert vault.open(renewed.id or 0, renewed.secret or "") == {"token": "planted-token-1002"}
    with reading(desk.stage.hub.engine) as session:
        entries = session.exec(select(AuditEntry).where(col(AuditEntry.by_name) == "Coordinator")).all()
        noted = sorted((entry.action, entry.thing) for entry in entries)
        assert noted == [("account.add", f"account:{made.id}"), ("account.renew", f"account:{renewed.id}")]
        assert "planted" not in "".join(f"{entry.before}{entry.after}" for entry in entries)


def test_every_problem_of_a_choice_is_told_at_once_and_nothing_is_linked(desk: Desk, vault: Vault):
    pages = [grant(1, "Lille"), grant(2, "Lyon"), grant(3, "Dijon", ("ANALYZE",)), grant(4, "Nice")]

    with pytest.raises(Invalid) as refused:
        linked(desk, vault, pages, page1="", page2="Atlantis", page3="Dijon", page4="Nice")

    assert sorted(told(refused)) == [
        ("territory-1", "Say which territory this page speaks for."),
        ("territory-2", "There is no territory “Atlantis” that you may choose. Take one from the list."),
        (
            "territory-3",
            "You may not publish on this page. Ask whoever manages it on Facebook to give you the task “Content”, "
            "then connect again.",
        ),
    ]
    with reading(desk.stage.hub.engine) as session:
        assert session.exec(select(Account).where(Account.remote_id == "4")).first() is None


def test_at_least_one_page_is_chosen(desk: Desk, vault: Vault):
    with pytest.raises(Invalid) as refused:
        linked(desk, vault, [grant(1, "Lille")])

    assert told(refused) == [("pages", "Choose at least one page.")]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("paris", "A-01"),
        ("Paris (département)", "D-75"),
        ("a-14", "A-14"),
        ("France", "FR"),
        ("ILLE ET VILAINE", "D-35"),
        ("Saint-Malo", None),
    ],
)
def test_a_territory_is_understood_by_label_code_or_name(desk: Desk, typed: str, code: str | None):
    with reading(desk.stage.hub.engine) as session:
        known = linking.territories(session, desk.who("coordinator"))
        land = geotargeting.atlas(session)

    assert linking.territory_named(typed, known, land) == code


def test_one_may_choose_within_ones_own_land_only(desk: Desk, vault: Vault):
    desk.join("north", RoleKind.COORDINATOR, "A-09")
    with reading(desk.stage.hub.engine) as session:
        known = linking.territories(session, desk.who("north"))
    assert known == {
        "A-09": "Lille (académie)",
        "D-59": "Nord (département)",
        "D-62": "Pas-de-Calais (département)",
    }

    with pytest.raises(Invalid) as refused:
        linked(desk, vault, [grant(1, "Lyon")], by="north", page1="Lyon")
    assert [field for field, _words in told(refused)] == ["territory-1"]


def test_only_the_page_of_the_account_renews_it(desk: Desk):
    with reading(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["rennes"])
    assert account is not None
    right = grant(1002, "Page rennes")

    assert linking.grant_for(account, [grant(1, "Lille"), right]) is right
    assert linking.grant_for(account, [grant(1, "Lille")]) is None
    assert linking.grant_for(account, [grant(1002, "Page rennes", ("ANALYZE",))]) is None


def test_a_grant_is_the_same_after_being_kept_and_never_shows_its_token():
    for one in (grant(1, "Lille"), grant(2, "Lyon", None), grant(3, "Nice", ())):
        assert Grant.read(one.told()) == one
        assert "planted" not in repr(one)
