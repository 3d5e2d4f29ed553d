"""A desk to write at: posts drafted, submitted, approved and looked at, on the stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Delivery
from hub.domain.errors import Invalid
from hub.domain.gate import GeoKey, KeyKind
from hub.domain.person import Actor, RoleKind
from hub.domain.post import Post
from hub.services import approving, drafting, geotargeting, joining
from hub.services.geotargeting import Planned, Terms
from tests.stage import Stage

EVENING = "2026-11-10T18:00"
"""When posts of this desk go out, unless told otherwise."""


def told(refused: Any) -> list[tuple[str, str]]:
    """Field and sentence of every problem that `pytest.raises(Invalid)` caught."""
    error = refused.value
    assert isinstance(error, Invalid)
    return [(problem.field, problem.message) for problem in error.problems]


@dataclass
class Desk:
    """Write and look, as one of the people on the stage."""

    stage: Stage
    terms: Terms

    @property
    def now(self) -> datetime:
        """This moment on the stage."""
        return self.stage.clock()

    def who(self, name: str) -> Actor:
        """One of the people."""
        return self.stage.people[name]

    def settle(self, **changed: Any) -> None:
        """Change settings of the machine."""
        self.terms = replace(self.terms, **changed)

    # --- Doing --------------------------------------------------------------------------------------

    def write(self, by: str = "animator", **typed: Any) -> int:
        """Draft a post for the page of Rennes; return its id."""
        with writing(self.stage.hub.engine) as session:
            post = drafting.draft(
                session,
                self.typed(**typed),
                by=self.who(by),
                at=self.now,
                terms=self.terms,
                rules=self.stage.hub.rules,
            )
            assert post.id is not None
            return post.id

    def typed(self, **changed: Any) -> drafting.Draft:
        """What is typed: a short piece of news for Rennes."""
        usual = {"text": "Portes ouvertes au CFA", "when": EVENING, "audience": ["A-14"], "accounts": ["facebook:A-14"]}
        return drafting.Draft.model_validate(usual | changed)

    def change(self, post_id: int, by: str = "animator", version: int | None = None, **typed: Any) -> Post:
        """Change a post."""
        with writing(self.stage.hub.engine) as session:
            return drafting.change(session, post_id, self.typed(**typed), version=version, by=self.who(by), at=self.now)

    def submit(self, post_id: int, by: str = "animator", **rest: Any) -> Post:
        """Submit a post."""
        with writing(self.stage.hub.engine) as session:
            return drafting.submit(
                session,
                post_id,
                by=self.who(by),
                at=self.now,
                terms=self.terms,
                rules=self.stage.hub.rules,
                **rest,
            )

    def submitted(self, by: str = "animator", **typed: Any) -> int:
        """Draft and submit a post; return its id."""
        post_id = self.write(by, **typed)
        self.submit(post_id, by, confirm_repeats=True)
        return post_id

    def approve(self, post_id: int, by: str = "coordinator", **rest: Any) -> list[Delivery]:
        """Approve a post, as it is seen now unless told otherwise."""
        rest.setdefault("seen", self.seen(post_id))
        with writing(self.stage.hub.engine) as session:
            return approving.approve(
                session,
                post_id,
                by=self.who(by),
                at=self.now,
                terms=self.terms,
                rules=self.stage.hub.rules,
                **rest,
            )

    def approved(self, by: str = "animator", **typed: Any) -> int:
        """Draft, submit and approve a post; return its id."""
        post_id = self.submitted(by, **typed)
        self.approve(post_id)
        return post_id

    def withdraw(self, post_id: int, by: str = "animator") -> Post:
        """Withdraw a post."""
        with writing(self.stage.hub.engine) as session:
            return drafting.withdraw(session, post_id, by=self.who(by), at=self.now, reason="Reporté")

    def join(self, name: str, role: RoleKind, territory: str) -> None:
        """Somebody new comes on the stage."""
        with writing(self.stage.hub.engine) as session:
            person = joining.add_person(
                session, email=f"{name}@example.org", name=name.capitalize(), at=self.now, by="operator"
            )
            assert person.id is not None
            joining.give_role(session, person.id, role, territory, by="operator", at=self.now)
            self.stage.people[name] = joining.actor_for(session, person.id)

    def page(self, territory: str, network: AccountNetwork = AccountNetwork.FACEBOOK) -> int:
        """One more account; return its id."""
        with writing(self.stage.hub.engine) as session:
            account = Account(
                network=network,
                name=f"Page {territory}",
                remote_id=f"page-{territory}",
                territory_code=territory,
                created_at=self.now,
            )
            session.add(account)
            session.flush()
            assert account.id is not None
            self.stage.accounts[territory] = account.id
            return account.id

    def keys(
        self,
        territory: str,
        *keys: str,
        kind: KeyKind = KeyKind.REGION,
        covers: Iterable[str] = (),
        source: str = "ana",
        reviewed: bool = True,
    ) -> None:
        """Bring in network keys of a territory."""
        with writing(self.stage.hub.engine) as session:
            for key in keys:
                session.add(
                    GeoKey(
                        network=AccountNetwork.FACEBOOK,
                        territory_code=territory,
                        kind=kind,
                        key=key,
                        covers=list(covers),
                        source=source,
                        imported_at=self.now,
                        reviewed_at=self.now if reviewed else None,
                    )
                )

    def forget_keys(self) -> None:
        """No territory has a key any more."""
        with writing(self.stage.hub.engine) as session:
            for row in session.exec(select(GeoKey)):
                session.delete(row)

    # --- Looking ------------------------------------------------------------------------------------

    def plan(self, post_id: int) -> list[Planned]:
        """Every delivery that a post would become now."""
        with reading(self.stage.hub.engine) as session:
            post = session.get(Post, post_id)
            assert post is not None
            return geotargeting.plan(session, post, terms=self.terms, rules=self.stage.hub.rules, at=self.now)

    def seen(self, post_id: int) -> str:
        """The fingerprint of a post as an approver sees it now."""
        plan = self.plan(post_id)
        with reading(self.stage.hub.engine) as session:
            return approving.fingerprint_of(session, self.post(post_id), plan)

    def planned(self, by: str = "coordinator", **typed: Any) -> list[Planned]:
        """Every delivery that such a post would become."""
        return self.plan(self.write(by, **typed))

    def post(self, post_id: int) -> Post:
        """A post as it is stored."""
        with reading(self.stage.hub.engine) as session:
            post = session.get(Post, post_id)
            assert post is not None
            return post

    def deliveries(self, post_id: int) -> list[Delivery]:
        """The deliveries of a post, oldest first."""
        query = select(Delivery).where(Delivery.post_id == post_id).order_by(col(Delivery.id))
        with reading(self.stage.hub.engine) as session:
            return list(session.exec(query))

    def move(self, delivery_id: int | None, **columns: Any) -> None:
        """Put a delivery where a test needs it."""
        with writing(self.stage.hub.engine) as session:
            delivery = session.get(Delivery, delivery_id)
            for name, value in columns.items():
                setattr(delivery, name, value)

    def audited(self, post_id: int) -> list[tuple[str, str]]:
        """What was done to a post, and by whom."""
        query = select(AuditEntry).where(AuditEntry.thing == f"post:{post_id}").order_by(col(AuditEntry.id))
        with reading(self.stage.hub.engine) as session:
            return [(entry.action, entry.by_name) for entry in session.exec(query)]
