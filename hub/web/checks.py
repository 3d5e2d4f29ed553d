"""Checks of accounts that people ask for in the browser: asked, kept, and told in one line of log."""

from __future__ import annotations

import logging

from hub.domain.account import Account
from hub.domain.person import Actor
from hub.logs import line
from hub.services import connecting
from hub.wiring import Hub

logger = logging.getLogger("relais.accounts")


def check_account(hub: Hub, account_id: int, *, by: Actor) -> Account:
    """Ask the network how an account is."""
    account = connecting.check_account(hub, account_id, by=by)
    findings = ",".join(str(one["code"]) for one in account.findings)
    logger.info(
        line(task="check", account=account.id, outcome=account.light, findings=findings or None, state=account.state)
    )
    return account
