"""Lists stand in the same order on every database, whatever order of letters a server's locale has."""

from __future__ import annotations

from sqlalchemy import Engine, text

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.person import Person
from hub.services import connecting, joining
from tests.postgresql import Server
from tests.stage import NOON

NAMES = ["école", "Zoo", "ecole", "Été", "zèbre", "A-14", "A 2"]


def test_the_tests_of_postgresql_run_in_french_where_the_server_speaks_it(engine: Engine, server: Server):
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT 'é' < 'z' AND 'a' < 'B'"))

    assert found is (server.locale() != "")


def test_accounts_and_people_stand_letter_by_letter(engine: Engine):
    with writing(engine) as session:
        for number, name in enumerate(NAMES):
            session.add(
                Account(network=AccountNetwork.FACEBOOK, name=name, remote_id=str(number), territory_code="A-14",
                        created_at=NOON)
            )  # fmt: skip
            session.add(Person(email=f"{name}@example.org", name=name, created_at=NOON))

    with reading(engine) as session:
        accounts = [one.name for one in connecting.list_accounts(session) if one.network is AccountNetwork.FACEBOOK]
        people = [person.email for person, _roles in joining.list_people(session)]

    assert accounts == sorted(NAMES)
    assert people == sorted(f"{name}@example.org" for name in NAMES)
