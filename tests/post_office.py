"""A mail server on this machine: as much of SMTP as our mails need, and the faults that we want."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class PostOffice:
    """What a mail server is like, and what came in."""

    tls: ssl.SSLContext | None = None
    """With this, it offers STARTTLS."""
    at_once: bool = False
    """Encrypted from the first byte."""
    known: tuple[str, str] | None = None
    """Name and password that it asks for."""
    answers: dict[str, bytes] = field(default_factory=dict)
    """Answer by command instead of the usual one; empty: it hangs up."""
    received: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What clients said, with `!` in front where it was encrypted."""
    port: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        """What came in, read."""
        return [message_from_bytes(raw, policy=default) for raw in self.received]


class _Talk(socketserver.StreamRequestHandler):
    """One conversation."""

    timeout = 10

    def handle(self) -> None:
        office: PostOffice = self.server.office  # type: ignore[attr-defined]
        self.safe = False
        if office.at_once:
            self._wrap(office)
        self._say(b"220 ready")
        sender = ""
        while line := self.rfile.readline():
            command, _blank, rest = line.decode().strip().partition(" ")
            command = command.upper()
            words = f"{command} {rest}".strip()
            office.said.append(("!" if self.safe else "") + words)
            if command in office.answers:
                if not office.answers[command]:
                    return
                self._say(office.answers[command])
                continue
            match command:
                case "EHLO":
                    self._say(*self._abilities(office))
                case "STARTTLS":
                    self._say(b"220 go on")
                    self._wrap(office)
                case "AUTH":
                    given = base64.b64decode(words.split(" ")[2]).decode().split("\0")[1:]
                    self._say(b"235 good" if tuple(given) == office.known else b"535 bad password")
                case "MAIL":
                    sender = words
                    self._say(b"530 sign in" if office.known and not self._signed_in(office) else b"250 ok")
                case "RCPT":
                    office.envelopes.append((sender, words))
                    self._say(b"250 ok")
                case "DATA":
                    self._say(b"354 go on")
                    office.received.append(self._content())
                    self._say(office.answers.get("CONTENT", b"250 taken"))
                case "QUIT":
                    self._say(b"221 bye")
                    return
                case _:
                    self._say(b"250 ok")

    def _abilities(self, office: PostOffice) -> list[bytes]:
        told = [b"250-here"]
        if office.tls and not self.safe:
            told.append(b"250-STARTTLS")
        if office.known:
            told.append(b"250-AUTH PLAIN")
        return [*told, b"250 HELP"]

    def _signed_in(self, office: PostOffice) -> bool:
        return any("AUTH PLAIN" in words for words in office.said)

    def _content(self) -> bytes:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _wrap(self, office: PostOffice) -> None:
        assert office.tls is not None
        self.rfile.close()
        self.connection = office.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.safe = True

    def finish(self) -> None:
        """Hang up: the server closes the plain connection only."""
        self.rfile.close()
        self.connection.close()

    def _say(self, *lines: bytes) -> None:
        self.connection.sendall(b"".join(line + b"\r\n" for line in lines))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us hangs up: that is what some tests are about."""


@contextmanager
def open_office(office: PostOffice | None = None) -> Iterator[PostOffice]:
    """A mail server on a free port of this machine."""
    office = office or PostOffice()
    with _Server(("127.0.0.1", 0), _Talk) as server:
        server.office = office  # type: ignore[attr-defined]
        office.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield office
        finally:
            server.shutdown()
            thread.join()


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server on 127.0.0.1 shows, and what trusts it; nobody else does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain", folder / "private"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, private)
    return server, ssl.create_default_context(cafile=str(chain))
