"""People in a browser: found, invited, given roles, helped, shut out; each by those who keep their territory."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.audit import OPERATOR, AuditEntry
from hub.domain.person import HeldRole, Person, RoleKind
from hub.domain.sign_in import SecondFactor
from hub.services import joining, visiting
from tests.stage import PASSWORD, Stage

PEOPLE = "/equipe/personnes"


def add(stage: Stage, name: str, *roles: tuple[RoleKind, str], password: bool = True) -> int:
    """Somebody new."""
    with writing(stage.hub.engine) as session:
        one = joining.add_person(
            session,
            email=f"{name.lower()}@example.org",
            name=name,
            at=stage.clock(),
            by=OPERATOR,
            password_hash="hash" if password else None,
        )
        assert one.id is not None
        for kind, code in roles:
            joining.give_role(session, one.id, kind, code, by=OPERATOR, at=stage.clock())
        stage.people[name.lower()] = joining.actor_for(session, one.id)
        return one.id


def number(stage: Stage, who: str) -> int:
    return stage.people[who].id


def roles(stage: Stage, person_id: int) -> list[HeldRole]:
    with reading(stage.hub.engine) as session:
        return joining.list_roles(session, person_id)


def names(page) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'<a class="title"[^>]*>(.*?)</a>', page.text)]


def link_on(page) -> str:
    found = re.search(r'<input id="link" readonly value="http://[^/"]+(/equipe/bienvenue/[^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


# --- Who is here --------------------------------------------------------------------------------------------


def test_an_administrator_finds_everybody_with_roles_in_words_and_the_last_sign_in(browse, stage: Stage):
    with writing(stage.hub.engine) as session:
        visiting.enter(session, number(stage, "animator"), device="x", at=stage.clock() - timedelta(days=3))

    page = browse("administrator").get(PEOPLE)

    assert names(page) == [
        "Administrator", "Analyst", "Animator", "Colleague", "Coordinator", "Deputy", "Stranger",
    ]  # fmt: skip
    assert "animator · Rennes" in page.text
    assert "coordinator · all of France" in page.text
    assert "last sign-in 3 days ago" in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=anim", ["Animator"]),
        ("?q=STRANGER%40example", ["Stranger"]),
        ("?role=coordinator", ["Coordinator", "Deputy"]),
        ("?q=dep&role=coordinator&acces=open", ["Deputy"]),
        ("?acces=disabled", []),
        ("?acces=nonsense&role=nonsense", ["Administrator", "Analyst", "Animator", "Colleague"]),
    ],
)
def test_people_are_looked_for_by_words_role_and_access(browse, query: str, found: list[str]):
    assert names(browse("administrator").get(PEOPLE + query))[:4] == found


def test_accents_do_not_matter_and_a_search_without_result_says_so(browse, stage: Stage):
    add(stage, "Zoé Ménard".replace(" ", "-"), (RoleKind.ANIMATOR, "A-14"))
    browser = browse("administrator")

    assert names(browser.get(f"{PEOPLE}?q=zoe+menard")) == ["Zoé-Ménard"]
    assert "Nobody whom you keep fits this search." in browser.get(f"{PEOPLE}?q=nobody").text


def test_a_long_list_goes_on_over_pages(browse, stage: Stage):
    for place in range(40):
        add(stage, f"P{place:02}", (RoleKind.ANIMATOR, "A-14"))
    browser = browse("administrator")

    first = browser.get(f"{PEOPLE}?role=animator")
    second = browser.get(f"{PEOPLE}?role=animator&page=2")

    assert (len(names(first)), len(names(second))) == (40, 3)
    assert 'href="/equipe/personnes?role=animator&amp;page=2" rel="next"' in first.text
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize("who", ["animator", "coordinator", "analyst"])
def test_people_are_kept_by_administrators_only(browse, stage: Stage, who: str):
    browser = browse(who)
    other = number(stage, "stranger")

    pages = [browser.get(path).status_code for path in (PEOPLE, f"{PEOPLE}/nouvelle", f"{PEOPLE}/{other}")]
    changes = [
        browser.post(path, {"role": "animator", "territory": "A-14", "name": "X", "email": "x@example.org"}).status_code
        for path in (f"{PEOPLE}/nouvelle", f"{PEOPLE}/{other}/roles", f"{PEOPLE}/{other}/acces")
    ]

    assert (pages, changes) == ([403] * 3, [403] * 3)


def test_an_administrator_of_a_territory_sees_its_people_and_those_without_a_role(browse, stage: Stage):
    add(stage, "Keeper", (RoleKind.ADMINISTRATOR, "A-14"))
    add(stage, "Local", (RoleKind.ANIMATOR, "D-35"))
    add(stage, "Wide", (RoleKind.ANIMATOR, "D-35"), (RoleKind.ANALYST, "FR"))
    add(stage, "Fresh")
    browser = browse("keeper")

    assert names(browser.get(PEOPLE)) == ["Animator", "Colleague", "Fresh", "Keeper", "Local", "Wide"]
    assert browser.get(f"{PEOPLE}/{number(stage, 'stranger')}").status_code == 404
    assert "only an administrator for all of those" in browser.get(f"{PEOPLE}/{number(stage, 'wide')}").text
    assert "Shut out Local" in browser.get(f"{PEOPLE}/{number(stage, 'local')}").text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("roles", {"role": "animator", "territory": "A-14"}),
        ("roles/retrait", {"role": "animator", "territory": "A-32"}),
        ("lien", {}),
        ("sessions", {}),
        ("acces", {"wish": "shut"}),
        ("second-facteur", {}),
    ],
)
def test_people_of_elsewhere_are_not_found_and_people_kept_by_others_not_changed(browse, stage: Stage, path, fields):
    add(stage, "Keeper", (RoleKind.ADMINISTRATOR, "A-14"))
    wide = add(stage, "Wide", (RoleKind.ANIMATOR, "D-35"), (RoleKind.ANALYST, "FR"))
    browser = browse("keeper")

    elsewhere = browser.post(f"{PEOPLE}/{number(stage, 'stranger')}/{path}", fields)
    unknown = browser.post(f"{PEOPLE}/9999/{path}", fields)
    shared = browser.post(f"{PEOPLE}/{wide}/{path}", fields | ({"territory": "A-32"} if fields.get("role") else {}))

    assert (elsewhere.status_code, unknown.status_code, shared.status_code) == (404, 404, 403)


# --- Inviting -----------------------------------------------------------------------------------------------


def test_an_invited_person_gets_a_link_that_works_without_a_mail(browse, stage: Stage):
    fields = {"name": "Zoé Martin", "email": "Zoe@example.org", "role": "animator", "territory": "D-35"}

    made = browse("administrator").post(f"{PEOPLE}/nouvelle", fields)
    guest = browse()
    inside = guest.post(link_on(made), {"password": "tuile ourse vapeur", "again": "tuile ourse vapeur"}, follow=False)

    with reading(stage.hub.engine) as session:
        zoe = session.exec(select(Person).where(Person.email == "zoe@example.org")).one()
    assert roles(stage, zoe.id or 0) == [HeldRole(RoleKind.ANIMATOR, "D-35")]
    assert inside.status_code == 303
    assert zoe.password_hash is not None


def test_the_link_is_told_once_and_noted_nowhere(browse, stage: Stage):
    browser = browse("administrator")
    fields = {"name": "Zoé Martin", "email": "zoe@example.org", "role": "animator", "territory": "D-35"}

    made = browser.post(f"{PEOPLE}/nouvelle", fields)
    secret = link_on(made).rpartition("/")[2]
    later = browser.get(f"{PEOPLE}?acces=invited")

    assert names(later) == ["Zoé Martin"]
    assert secret not in later.text
    with reading(stage.hub.engine) as session:
        assert [one for one in session.exec(select(AuditEntry)) if secret in one.model_dump_json()] == []


def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(browse, stage: Stage):
    browser = browse("administrator")
    fields = {"name": "Zoé", "email": "zoe", "role": "animator", "territory": "D-35"}

    email = browser.post(f"{PEOPLE}/nouvelle", fields)
    territory = browser.post(f"{PEOPLE}/nouvelle", fields | {"email": "zoe@example.org", "territory": "A-99"})
    role = browser.post(f"{PEOPLE}/nouvelle", fields | {"role": "boss"})
    twice = browser.post(f"{PEOPLE}/nouvelle", fields | {"email": "animator@example.org"})

    assert [one.status_code for one in (email, territory, role, twice)] == [422] * 4
    assert 'id="email-wrong"' in email.text
    assert 'name="email" type="email" value="zoe"' in email.text
    assert '<option value="D-35" selected>' in email.text
    assert 'id="territory-wrong">Choose the territory.' in territory.text
    assert 'id="role-wrong">Choose the role.' in role.text
    assert "animator@example.org is here already." in twice.text
    with reading(stage.hub.engine) as session:
        assert session.exec(select(Person).where(Person.email == "zoe@example.org")).all() == []


def test_an_administrator_of_a_territory_invites_there_and_nowhere_else(browse, stage: Stage):
    add(stage, "Keeper", (RoleKind.ADMINISTRATOR, "A-14"))
    browser = browse("keeper")
    fields = {"name": "Zoé", "email": "zoe@example.org", "role": "animator"}

    page = browser.get(f"{PEOPLE}/nouvelle")
    elsewhere = browser.post(f"{PEOPLE}/nouvelle", fields | {"territory": "A-32"})
    here = browser.post(f"{PEOPLE}/nouvelle", fields | {"territory": "D-35"})

    assert re.findall(r'<option value="(\w+-\w+|FR)"', page.text) == ["A-14", "D-22", "D-29", "D-35", "D-56"]
    assert (elsewhere.status_code, here.status_code) == (403, 200)


# --- Roles --------------------------------------------------------------------------------------------------


def test_a_role_is_given_and_taken_and_the_sessions_end(browse, stage: Stage):
    theirs, browser = browse("animator"), browse("administrator")
    path = f"{PEOPLE}/{number(stage, 'animator')}"

    given = browser.post(f"{path}/roles", {"role": "analyst", "territory": "A-14"})
    gone = theirs.get("/equipe/moi/second-facteur", follow=False)
    taken = browser.post(f"{path}/roles/retrait", {"role": "animator", "territory": "A-14"})

    assert "The role is given." in given.text
    assert gone.headers["location"].startswith("/equipe/connexion")
    assert "The role is taken away" in taken.text
    assert roles(stage, number(stage, "animator")) == [HeldRole(RoleKind.ANALYST, "A-14")]


def test_a_role_without_a_territory_is_asked_for_again(browse, stage: Stage):
    path = f"{PEOPLE}/{number(stage, 'animator')}"

    refused = browse("administrator").post(f"{path}/roles", {"role": "analyst", "territory": ""})

    assert refused.status_code == 422
    assert 'id="territory-wrong">Choose the territory.' in refused.text
    assert '<option value="analyst" selected>' in refused.text


# --- Helping and shutting out -------------------------------------------------------------------------------


def test_a_link_for_a_new_password_is_made_for_who_has_one_and_an_invitation_for_who_has_none(browse, stage: Stage):
    fresh = add(stage, "Fresh", password=False)
    browser = browse("administrator")

    again = browser.post(f"{PEOPLE}/{fresh}/lien")
    reset = browser.post(f"{PEOPLE}/{number(stage, 'animator')}/lien")

    assert "Invitation of Fresh" in again.text
    assert "New password for Animator" in reset.text
    assert browse().get(link_on(reset)).status_code == 200


def test_sessions_are_ended_and_counted(browse, stage: Stage):
    theirs = browse("animator")
    browse("animator")

    done = browse("administrator").post(f"{PEOPLE}/{number(stage, 'animator')}/sessions")

    assert "2 sessions have ended." in done.text
    assert theirs.get("/equipe/moi/second-facteur", follow=False).status_code == 303
    with reading(stage.hub.engine) as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "session.end_all")).one()
        assert (entry.by_name, entry.after) == ("Administrator", {"sessions": 2})


def test_somebody_is_shut_out_and_let_in_again(browse, stage: Stage):
    theirs, browser = browse("animator"), browse("administrator")
    path = f"{PEOPLE}/{number(stage, 'animator')}"

    shut = browser.post(f"{path}/acces", {"wish": "shut"})
    twice = browser.post(f"{path}/acces", {"wish": "shut"})
    locked = browse().post("/equipe/connexion", {"email": "animator@example.org", "password": PASSWORD})
    opened = browser.post(f"{path}/acces", {"wish": "open"})

    assert "They are shut out" in shut.text
    assert "Let in again" in shut.text
    assert (twice.status_code, locked.status_code) == (409, 401)
    assert theirs.get("/equipe/moi/second-facteur", follow=False).headers["location"].startswith("/equipe/connexion")
    assert "They may sign in again." in opened.text


def test_administrators_do_not_shut_themselves_out(browse, stage: Stage):
    browser = browse("administrator")
    path = f"{PEOPLE}/{number(stage, 'administrator')}"

    page = browser.get(path)
    refused = browser.post(f"{path}/acces", {"wish": "shut"})

    assert "This is you." in page.text
    assert (refused.status_code, "Nobody shuts themselves out." in refused.text) == (409, True)


def test_a_lost_second_factor_is_taken_away(browse, stage: Stage):
    person_id = number(stage, "animator")
    with writing(stage.hub.engine) as session:
        session.add(
            SecondFactor(person_id=person_id, secret="sealed", created_at=stage.clock(), confirmed_at=stage.clock())
        )
    browser = browse("administrator")

    before = browser.get(f"{PEOPLE}/{person_id}")
    done = browser.post(f"{PEOPLE}/{person_id}/second-facteur")
    again = browser.post(f"{PEOPLE}/{person_id}/second-facteur")

    assert "Take the second factor away" in before.text
    assert "The second factor is taken away" in done.text
    assert (again.status_code, "has no second factor" in again.text) == (409, True)


@pytest.mark.parametrize("path", ["nouvelle", "1/roles", "1/roles/retrait", "1/lien", "1/sessions", "1/acces"])
def test_nothing_changes_without_the_token_of_a_page(browse, path: str):
    assert browse("administrator").client.post(f"{PEOPLE}/{path}").status_code == 403
