"""Mails: what they look like, and how they leave through a mail server or into files."""

from __future__ import annotations

import logging
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from hub.domain.errors import Invalid
from hub.mail import MOST_FILES, FileMailer, Mail, MemoryMailer, NotSent, SmtpMailer, as_message
from hub.settings import read_settings
from hub.wiring import wire
from tests.post_office import PostOffice, certificates, open_office
from tests.stage import NOON

SENDER = "Relais <relais@example.org>"
PASSWORD = "p@ss/word:1"
ESCAPED = "p%40ss%2Fword%3A1"

MAIL = Mail("ana@example.org", "Ana Le Goff", "À valider : portes ouvertes", "Bonjour Ana,\n\n.point\n", NOON, "m1")


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with open_office() as office:
        yield office


def mailer(office: PostOffice, **rest: object) -> SmtpMailer:
    return SmtpMailer(f"smtp://127.0.0.1:{office.port}", SENDER, timeout=5, **rest)  # type: ignore[arg-type]


# --- What a mail looks like -----------------------------------------------------------------------------------


def test_a_mail_arrives_as_it_was_written_with_all_its_headers(office: PostOffice) -> None:
    mailer(office).send(MAIL)

    (came,) = office.mails
    assert dict(came.items()) | {"Content-Type": ""} == {
        "From": "Relais <relais@example.org>",
        "To": "Ana Le Goff <ana@example.org>",
        "Subject": "À valider : portes ouvertes",
        "Date": "Mon, 02 Nov 2026 11:00:00 +0000",
        "Message-ID": "<m1@example.org>",
        "Auto-Submitted": "auto-generated",
        "Content-Type": "",
        "Content-Transfer-Encoding": "quoted-printable",
        "MIME-Version": "1.0",
    }
    assert came.get_content().replace("\r\n", "\n") == MAIL.text
    assert office.envelopes == [("MAIL FROM:<relais@example.org>", "RCPT TO:<ana@example.org>")]


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x0b", "\x85", "\x00"])
def test_no_header_can_be_smuggled_in_by_a_name_or_a_title(office: PostOffice, break_: str) -> None:
    evil = f"Ana{break_}Bcc: all@example.org{break_}{break_}<b>"

    mailer(office).send(replace(MAIL, name=evil, subject=evil))

    (came,) = office.mails
    assert came["Bcc"] is None
    assert (came["Subject"], came["To"].addresses[0].display_name) == ("Ana Bcc: all@example.org <b>",) * 2
    assert [recipient for _sender, recipient in office.envelopes] == ["RCPT TO:<ana@example.org>"]


@pytest.mark.parametrize(
    "address", ["ana@example.org\r\nBcc: all@example.org", "", "ana", "a@b@c, d@e", "é@example.org"]
)
def test_what_is_no_address_is_refused_for_good(office: PostOffice, address: str) -> None:
    with pytest.raises(NotSent) as refused:
        mailer(office).send(replace(MAIL, to=address))

    assert (refused.value.lasting, refused.value.everybody, office.received) == (True, False, [])


def test_a_name_with_signs_of_its_own_stays_one_name(office: PostOffice) -> None:
    mailer(office).send(replace(MAIL, name='Zoé "Z" <boss@example.org>, Chef'))

    (came,) = office.mails
    assert [(one.display_name, one.addr_spec) for one in came["To"].addresses] == [
        ('Zoé "Z" <boss@example.org>, Chef', "ana@example.org")
    ]


def test_a_domain_with_accents_is_spelled_in_the_letters_that_servers_read(office: PostOffice) -> None:
    mailer(office).send(replace(MAIL, to="ana@académie.example"))

    assert [recipient for _sender, recipient in office.envelopes] == ["RCPT TO:<ana@xn--acadmie-eya.example>"]


def test_a_long_subject_is_cut_and_a_long_line_survives(office: PostOffice) -> None:
    mailer(office).send(replace(MAIL, subject="mot " * 100, text="é" * 3000 + "\n"))

    (came,) = office.mails
    assert len(came["Subject"]) <= 150
    assert max(map(len, office.received[0].split(b"\r\n"))) < 100
    assert came.get_content().strip() == "é" * 3000


def test_mails_without_a_mark_have_ids_that_differ() -> None:
    first, second = (as_message(replace(MAIL, mark=""), SENDER)["Message-ID"] for _time in range(2))

    assert first != second


# --- Through a mail server ------------------------------------------------------------------------------------


def test_name_and_password_go_over_an_encrypted_line_only(tmp_path: Path) -> None:
    server, trusting = certificates(tmp_path)
    with open_office(PostOffice(tls=server, known=("relais", PASSWORD))) as office:
        url = f"smtp://relais:{ESCAPED}@127.0.0.1:{office.port}?starttls=1"
        SmtpMailer(url, SENDER, timeout=5, tls=trusting).send(MAIL)

    assert len(office.received) == 1
    assert [words.split(" ")[0] for words in office.said if not words.startswith("!")] == ["EHLO", "STARTTLS"]


def test_a_server_that_is_encrypted_from_the_start_is_spoken_to_as_well(tmp_path: Path) -> None:
    server, trusting = certificates(tmp_path)
    with open_office(PostOffice(tls=server, at_once=True, known=("relais", PASSWORD))) as office:
        SmtpMailer(f"smtps://relais:{ESCAPED}@127.0.0.1:{office.port}", SENDER, timeout=5, tls=trusting).send(MAIL)

    assert len(office.received) == 1


@pytest.mark.parametrize("at_once", [False, True])
def test_a_server_whose_certificate_cannot_be_trusted_hears_no_password(tmp_path: Path, at_once: bool) -> None:
    server, _trusting = certificates(tmp_path)
    with open_office(PostOffice(tls=server, at_once=at_once, known=("relais", PASSWORD))) as office:
        scheme, more = ("smtps", "") if at_once else ("smtp", "?starttls=1")
        with pytest.raises(NotSent) as refused:
            SmtpMailer(f"{scheme}://relais:{ESCAPED}@127.0.0.1:{office.port}{more}", SENDER, timeout=5).send(MAIL)

    assert refused.value.everybody
    assert [words for words in office.said if "AUTH" in words] == []


def test_a_server_that_does_not_offer_encryption_is_told_nothing() -> None:
    with open_office(PostOffice(known=("relais", PASSWORD))) as office, pytest.raises(NotSent) as refused:
        SmtpMailer(f"smtp://relais:{ESCAPED}@127.0.0.1:{office.port}?starttls=1", SENDER, timeout=5).send(MAIL)

    assert refused.value.everybody
    assert [words for words in office.said if words.startswith(("AUTH", "MAIL"))] == []


@pytest.mark.parametrize(
    ("answers", "everybody", "lasting"),
    [
        ({"RCPT": b"550 no such mailbox"}, False, True),
        ({"RCPT": b"451 come again"}, False, False),
        ({"MAIL": b"553 not you"}, True, False),
        ({"CONTENT": b"554 looks like spam"}, False, True),
        ({"CONTENT": b"451 come again"}, False, False),
        ({"EHLO": b""}, True, False),
        ({"MAIL": b""}, True, False),
        ({"DATA": b""}, True, False),
    ],
)
def test_what_a_server_refuses_is_for_all_mails_or_for_this_one_for_now_or_for_good(
    office: PostOffice, answers: dict[str, bytes], everybody: bool, lasting: bool
) -> None:
    office.answers = answers

    with pytest.raises(NotSent) as refused:
        mailer(office).send(MAIL)

    assert (refused.value.everybody, refused.value.lasting) == (everybody, lasting)


def test_what_comes_after_the_server_took_the_mail_does_not_make_it_untaken(office: PostOffice) -> None:
    office.answers = {"QUIT": b""}

    mailer(office).send(MAIL)

    assert len(office.received) == 1


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(NotSent) as refused:
            SmtpMailer(url, SENDER, timeout=0.2).send(MAIL)

    assert (str(refused.value), refused.value.everybody) == ("The mail server does not answer, or hung up.", True)


def test_the_password_is_told_nowhere_not_even_when_it_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, trusting = certificates(tmp_path)
    caplog.set_level(logging.DEBUG)
    with open_office(PostOffice(tls=server, known=("relais", "another"))) as office:
        one = SmtpMailer(f"smtp://relais:{ESCAPED}@127.0.0.1:{office.port}?starttls=1", SENDER, timeout=5, tls=trusting)
        with pytest.raises(NotSent) as refused:
            one.send(MAIL)

    told = f"{refused.value} {refused.value!r} {one!r} {caplog.text}"
    assert str(refused.value) == "The mail server refuses name and password (535)."
    assert [word for word in (PASSWORD, ESCAPED) if word in told] == []


# --- Settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.org",
        "smtp://",
        "smtp://mail.example.org:99999",
        "smtp://mail.example.org:x",
        "smtp://sesame@mail.example.org",
        "smtp://relais:sesame@mail.example.org?starttls=0",
        "smtp://relais:sesame@mail.example.org/inbox",
        "smtp://relais:sesame@mail.example.org?tls=1",
        "smtp://relais:s%C3%A9same@mail.example.org",
    ],
)
def test_a_wrong_address_of_a_mail_server_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_settings(smtp_url=url)

    assert str(refused.value).startswith("Setting RELAIS_SMTP_URL: ")
    assert [word for word in ("sesame", "s%C3", "sésame") if word in str(refused.value)] == []


@pytest.mark.parametrize("sender", ["", "Relais", "Relais <relais>", "a@b\nBcc: c@d", "Relais <@example.org>"])
def test_a_wrong_sender_is_refused(sender: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_settings(mail_from=sender)

    assert str(refused.value) == "Setting RELAIS_MAIL_FROM: give a sender such as Relais <relais@example.org>."


def test_mails_become_files_until_a_mail_server_is_set(tmp_path: Path) -> None:
    without = wire(read_settings(home=tmp_path))
    with_one = wire(read_settings(home=tmp_path, smtp_url="smtp://relais:sesame@mail.example.org"))

    assert isinstance(without.mailer, FileMailer)
    assert without.mailer.folder == tmp_path / "mails"
    assert repr(with_one.mailer) == "SmtpMailer(mail.example.org:587)"
    assert "sesame" not in repr(with_one)


# --- Elsewhere ------------------------------------------------------------------------------------------------


def test_a_mail_in_a_file_is_for_its_owner_alone_and_readable_as_it_is(tmp_path: Path) -> None:
    FileMailer(tmp_path / "mails", SENDER).send(MAIL)

    (file,) = (tmp_path / "mails").iterdir()
    read = message_from_bytes(file.read_bytes(), policy=default)
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert (read["To"], read["Subject"]) == ("Ana Le Goff <ana@example.org>", "À valider : portes ouvertes")
    assert "Bonjour Ana," in file.read_text(encoding="utf-8")


def test_files_of_mails_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 3):
        (tmp_path / f"20200101T000000-{number:08}.eml").touch()

    FileMailer(tmp_path, SENDER).send(MAIL)

    assert len(list(tmp_path.iterdir())) == MOST_FILES


def test_a_folder_that_takes_no_files_is_a_mail_that_did_not_leave(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("")

    with pytest.raises(NotSent) as refused:
        FileMailer(tmp_path / "mails", SENDER).send(MAIL)

    assert refused.value.everybody


def test_a_mailer_in_memory_keeps_what_it_gets_and_refuses_when_told() -> None:
    one = MemoryMailer()
    one.send(MAIL)
    one.refusal = NotSent("No.")

    with pytest.raises(NotSent):
        one.send(MAIL)

    assert one.sent == [MAIL]
