"""Mails and how they leave: through a mail server, or as files while none is set."""

from __future__ import annotations

import os
import secrets
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from hub.domain.errors import HubError
from hub.language import _

TIMEOUT: Final = 10.0
"""Seconds of silence from a mail server."""

MOST_FILES: Final = 500
"""How many mails are kept as files; older ones are deleted."""

LONGEST_SUBJECT: Final = 150

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Mail:
    """A plain-text mail to one person."""

    to: str
    name: str
    subject: str
    text: str
    at: datetime
    mark: str = ""
    """Tells the same mail again: a second copy has the same Message-ID. Empty: a random one."""


class NotSent(HubError):
    """The mail did not leave, or nobody knows; the words hold no secret."""

    def __init__(self, message: str, *, everybody: bool = False, lasting: bool = False) -> None:
        super().__init__(message)
        self.everybody = everybody
        """No other mail would leave now either."""
        self.lasting = lasting
        """This one never will."""


class Mailer(Protocol):
    """A way for mails to leave."""

    def send(self, mail: Mail) -> None:
        """Hand the mail over, or raise NotSent."""


# --- What a mail looks like -------------------------------------------------------------------------------


def one_line(words: str) -> str:
    """Words fit for a header: no line breaks, nothing that cannot be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())


def as_message(mail: Mail, sender: str, *, encoding: str = "quoted-printable") -> EmailMessage:
    """The mail with all its headers; NotSent (lasting) when its address is none."""
    message = EmailMessage(policy=policy.SMTP)
    name, address = parseaddr(sender)
    try:
        message["From"] = Address(one_line(name), addr_spec=_spelled(address))
        message["To"] = Address(one_line(mail.name), addr_spec=_spelled(mail.to))
        message["Subject"] = _short(one_line(mail.subject))
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.mark or secrets.token_hex(16)}@{_spelled(address).rpartition('@')[2]}>"
    except (MessageError, ValueError, IndexError) as error:
        raise NotSent(_("The mail has no address that mails can be sent to."), lasting=True) from error
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte=encoding)
    return message


def sender_is_good(sender: str) -> bool:
    """Whether mails can come from there: a name and an address, or an address alone."""
    address = parseaddr(sender)[1]
    try:
        return bool(Address(addr_spec=_spelled(address)).username) and one_line(sender) == sender.strip()
    except (MessageError, ValueError, IndexError):
        return False


def _spelled(address: str) -> str:
    """The address with its domain in the letters that every mail server reads."""
    local, at, domain = address.strip().rpartition("@")
    return f"{local}{at}{domain.encode('idna').decode()}"


def _short(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1].rstrip() + "…"


# --- Through a mail server --------------------------------------------------------------------------------


def why_not_smtp(url: str) -> str | None:
    """What is wrong with the address of a mail server, without repeating it (it may hold a password); or None."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return _("the port must be a number from 1 to 65535.")
    if parts.scheme not in {"smtp", "smtps"} or not host or port == 0:
        return _("give an address such as smtp://name:password@mail.example.org:587 or smtps://….")
    if not (unquote(parts.username or "") + unquote(parts.password or "")).isascii():
        return _("name and password may hold no accents: SMTP cannot tell them.")
    if bool(parts.username) != bool(parts.password):
        return _("give both name and password, or none; write special characters in them as %40 and the like.")
    if parts.path.strip("/") or parts.fragment or set(parse_qs(parts.query)) - {"starttls"}:
        return _("nothing but ?starttls=1 may follow the port.")
    if parts.scheme == "smtp" and not _upgrades(parts) and host not in LOOPBACK:
        return _("without encryption only a mail server on this machine is accepted; leave ?starttls=0 out.")
    return None


def _upgrades(parts: SplitResult) -> bool:
    """Whether a plain connection is to become an encrypted one: told, or else on any other machine."""
    told = parse_qs(parts.query).get("starttls", [""])[-1]
    return told in {"1", "true", "yes"} if told else parts.hostname not in LOOPBACK


class SmtpMailer:
    """Hands mails to a mail server: `smtp://` with STARTTLS (on this machine only when told), or `smtps://`."""

    def __init__(self, url: str, sender: str, *, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._at_once = parts.scheme == "smtps"
        self._upgrade = not self._at_once and _upgrades(parts)
        self._port = parts.port or (465 if self._at_once else 587 if self._upgrade else 25)
        self._name, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender, self._timeout, self._tls = sender, timeout, tls

    def __repr__(self) -> str:
        return f"SmtpMailer({self._host}:{self._port})"

    def send(self, mail: Mail) -> None:
        """Hand the mail over, or raise NotSent."""
        message = as_message(mail, self._sender)
        try:
            server = self._connect()
            try:
                self._greet(server)
                server.send_message(message)
                # What comes after the server took the mail does not make it untaken.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
            finally:
                server.close()
        except (smtplib.SMTPException, OSError) as error:
            raise _explained(error) from error

    def _connect(self) -> smtplib.SMTP:
        # Said by name, since asking the machine for its own may take seconds and tells what it is called.
        me = parseaddr(self._sender)[1].rpartition("@")[2] or "localhost"
        if self._at_once:
            return smtplib.SMTP_SSL(self._host, self._port, me, timeout=self._timeout, context=self._context())
        return smtplib.SMTP(self._host, self._port, me, timeout=self._timeout)

    def _greet(self, server: smtplib.SMTP) -> None:
        if self._upgrade:
            server.starttls(context=self._context())
        if self._name:
            server.login(self._name, self._password)

    def _context(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()


def _explained(error: Exception) -> NotSent:
    """What went wrong in our words: a server's own may repeat what it was sent."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return NotSent(
                _("The mail server refuses name and password ({code}).", code=error.smtp_code), everybody=True
            )
        case smtplib.SMTPRecipientsRefused():
            code = next(iter(error.recipients.values()))[0]
            return NotSent(
                _("The mail server refuses the person's address ({code}).", code=code), lasting=500 <= code < 600
            )
        case smtplib.SMTPSenderRefused():
            return NotSent(
                _("The mail server refuses RELAIS_MAIL_FROM as sender ({code}).", code=error.smtp_code), everybody=True
            )
        case smtplib.SMTPDataError():
            lasting = 500 <= error.smtp_code < 600
            return NotSent(_("The mail server refuses the mail ({code}).", code=error.smtp_code), lasting=lasting)
        case smtplib.SMTPNotSupportedError():
            return NotSent(_("The mail server cannot do what is asked of it (encryption, or sign-in)."), everybody=True)
        case ssl.SSLError():
            return NotSent(
                _("The mail server's certificate cannot be trusted, or it speaks no encryption."), everybody=True
            )
        case TimeoutError() | smtplib.SMTPServerDisconnected():
            return NotSent(_("The mail server does not answer, or hung up."), everybody=True)
        case _:
            return NotSent(_("The mail server cannot be reached ({why}).", why=type(error).__name__), everybody=True)


# --- Elsewhere --------------------------------------------------------------------------------------------


class FileMailer:
    """Writes each mail into a file that only its owner reads: for development and demos, nobody receives them."""

    def __init__(self, folder: Path, sender: str) -> None:
        self.folder, self._sender = folder, sender

    def send(self, mail: Mail) -> None:
        """Write the mail down, or raise NotSent."""
        content = as_message(mail, self._sender, encoding="8bit").as_bytes(policy=policy.default)
        name = f"{mail.at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.eml"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            for old in sorted(self.folder.glob("*.eml"))[:-MOST_FILES]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise NotSent(
                _("The mail could not be written down: {why}.", why=error.strerror), everybody=True
            ) from error


@dataclass
class MemoryMailer:
    """Keeps mails in memory, for tests; told to, it refuses them."""

    sent: list[Mail] = field(default_factory=list)
    refusal: NotSent | None = None

    def send(self, mail: Mail) -> None:
        """Keep the mail, or raise what was asked for."""
        as_message(mail, "Relais <relais@localhost>")
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(mail)
