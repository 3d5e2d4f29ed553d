"""The log: how a line looks, as text and as JSON, and that nothing secret gets into one, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from hub import logs
from hub.logs import AsJson, AsText, line
from hub.masking import masked, remember

SECRET = "planted-3f9c1b7a/+=é"


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The log of this process as it was before, afterwards."""
    root, make, hook = logging.getLogger(), logging.getLogRecordFactory(), threading.excepthook
    handlers, level = list(root.handlers), root.level
    yield
    logging.setLogRecordFactory(make)
    threading.excepthook = hook
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def written() -> io.StringIO:
    """What a process that was set up writes."""
    stream = io.StringIO()
    logs.set_up(stream=stream)
    return stream


def record(message: str, *args: object) -> logging.LogRecord:
    made = logging.LogRecord("relais.dispatch", logging.INFO, "x.py", 1, message, args, None)
    made.created = 1793725201.2044
    return made


# --- How a line looks -------------------------------------------------------------------------------------


def test_a_line_is_words_and_values_and_quotes_what_is_no_single_word() -> None:
    told = line(delivery=7, outcome="rate", why='It said "no" = 1', nothing=None, empty="")

    assert told == 'delivery=7 outcome=rate why="It said \\"no\\" = 1" empty=""'


def test_text_begins_with_the_moment_in_utc() -> None:
    assert AsText().format(record("delivery=%s outcome=ok", 7)) == (
        "2026-11-03T17:00:01.204Z INFO relais.dispatch delivery=7 outcome=ok"
    )


def test_json_holds_the_words_of_the_line_as_values() -> None:
    told = json.loads(AsJson().format(record('delivery=7 outcome=ok late=1.2s why="two \\"words\\""')))

    assert told == {
        "time": "2026-11-03T17:00:01.204Z",
        "level": "INFO",
        "logger": "relais.dispatch",
        "message": 'delivery=7 outcome=ok late=1.2s why="two \\"words\\""',
        "delivery": 7,
        "outcome": "ok",
        "late": "1.2s",
        "why": 'two "words"',
    }


def test_no_line_can_pass_for_another_one() -> None:
    forged = "path=/x\n2026-11-03T17:00:01.204Z INFO relais delivery=7 \x1b[31m\u2028time=never level=none"

    assert len(AsText().format(record("%s", forged)).splitlines()) == 1
    told = json.loads(AsJson().format(record("%s", forged)))
    assert (told["time"], told["level"], told["path"]) == ("2026-11-03T17:00:01.204Z", "INFO", "/x")


def test_ours_and_warnings_of_libraries_are_written_and_their_chat_is_not(written: io.StringIO) -> None:
    for name in ("relais.dispatch", "urllib3.connectionpool", "made.later"):
        logging.getLogger(name).info("told by %s", name)
        logging.getLogger(name).warning("warned by %s", name)

    lines = [one.split(" ", 2)[1:] for one in written.getvalue().splitlines()]
    assert lines == [
        ["INFO", "relais.dispatch told by relais.dispatch"],
        ["WARNING", "relais.dispatch warned by relais.dispatch"],
        ["WARNING", "urllib3.connectionpool warned by urllib3.connectionpool"],
        ["WARNING", "made.later warned by made.later"],
    ]


def test_set_up_twice_it_writes_each_line_once(written: io.StringIO) -> None:
    logs.set_up("json", stream=written)

    logging.getLogger("relais").info(line(outcome="ok"))

    assert [json.loads(one)["outcome"] for one in written.getvalue().splitlines()] == ["ok"]


def test_a_thread_that_dies_is_told_by_the_log_alone(written: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    remember(SECRET)

    def die() -> None:
        raise RuntimeError(SECRET)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()

    assert "ERROR relais outcome=thread-died error=RuntimeError" in written.getvalue()
    assert "RuntimeError: ***" in written.getvalue()
    assert SECRET not in written.getvalue() + capsys.readouterr().err


# --- No secrets -------------------------------------------------------------------------------------------


class Nosy(logging.Handler):
    """Looks at every piece of a record."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        pieces = [repr(record.__dict__), record.getMessage(), logging.Formatter().format(record)]
        if record.exc_info:
            pieces += [repr(record.exc_info[1])]
        self.seen += pieces


@pytest.mark.parametrize(
    "write",
    [
        lambda logger: logger.info("token is %s", SECRET),
        lambda logger: logger.info("%(token)s", {"token": SECRET}),
        lambda logger: logger.info(SECRET),
        lambda logger: logger.info({"token": SECRET}),
        lambda logger: logger.info("too few %s %s", SECRET),
        lambda logger: logger.info("here", stack_info=SECRET is not None),
        lambda logger: logger.log(5, "%r", [SECRET.encode(), SECRET]),
    ],
    ids=["argument", "mapping", "message", "object", "broken", "stack", "low level"],
)
def test_a_known_secret_is_in_no_piece_of_a_record(write) -> None:
    remember(SECRET)
    logs.keep_secrets()
    logger, nosy = logging.getLogger(f"made.later.{id(write)}"), Nosy()
    logger.addHandler(nosy)
    logger.setLevel(1)

    write(logger)

    assert nosy.seen
    assert [one for one in nosy.seen if SECRET in one or "planted-3f9c1b7a" in one] == []


def test_a_traceback_holds_no_secret_of_its_causes_either() -> None:
    remember(SECRET)
    logs.keep_secrets()
    logger, nosy = logging.getLogger("made.later.traceback"), Nosy()
    logger.addHandler(nosy)
    try:
        try:
            raise OSError(f"GET /me?access_token={SECRET}")
        except OSError as error:
            raise RuntimeError(f"while asking with {SECRET}") from error
    except RuntimeError:
        logger.exception("outcome=bug")

    told = "\n".join(nosy.seen)
    assert "RuntimeError: while asking with ***" in told
    assert "planted-3f9c1b7a" not in told


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("GET /v26.0/me?access_token=EAAB12345&fields=id", "GET /v26.0/me?access_token=***&fields=id"),
        ("Collected params: [('oauth_token', '123-abc')]", "Collected params: [('oauth_token', '***')]"),
        ("send: b'Authorization: OAuth oauth_nonce=1'", "send: b'Authorization: ***'"),
        ("headers [(b'authorization', b'Bearer x y')]", "headers [(b'authorization', b'***')]"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("smtp://relais:s3cr3t@mail.example.org:587", "smtp://relais:***@mail.example.org:587"),
        ("postgresql+psycopg://relais:s3cr3t@db/relais", "postgresql+psycopg://relais:***@db/relais"),
        ("code=AQBx0123456789abcdef&state=0123456789abcdef", "code=***&state=***"),
        ("csrf=abc&password=quatre+mots&next=/", "csrf=***&password=***&next=/"),
        ("GET /equipe/bienvenue/0123456789abcdefghij HTTP", "GET /equipe/bienvenue/*** HTTP"),
        ("relais-visiteur=0123456789abcdefghij; Path=/", "relais-visiteur=***; Path=/"),
        ("token relais_0123456789abcdefghij was shown", "token *** was shown"),
        ("otpauth://totp/Relais?secret=JBSWY3DPEHPK3PXPJBSWY3DP&issuer=R", "otpauth://totp/Relais?secret=***&issuer=R"),
        ("key 0123456789012345678901234567890123456789abc= here", "key *** here"),
        ("hash $argon2id$v=19$m=19456$c2FsdA$aGFzaA kept", "hash *** kept"),
        ("page EAAGm0PX4ZCpsBAKZCkqZAZAeXb read", "page *** read"),
    ],
)
def test_what_stands_where_a_secret_stands_is_masked_although_nobody_knows_it(told: str, left: str) -> None:
    assert masked(told) == left


@pytest.mark.parametrize(
    "told",
    [
        "task=dispatch delivery=7 account=3 epoch=2 outcome=not-sent state=waiting late=1.2s",
        "method=GET path=/equipe/publications/7 status=200 ms=12",
        'outcome=database-trouble why="The database /srv/relais/relais.db cannot be used: locked."',
        "code=190 state=to_approve token=none",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(told: str) -> None:
    assert masked(told) == told


def test_a_short_secret_takes_no_words_apart() -> None:
    remember("outcome", "")

    assert masked("outcome=ok") == "outcome=ok"


def test_a_secret_is_known_in_each_of_its_spellings() -> None:
    remember(SECRET)

    spelled = f"{SECRET} planted-3f9c1b7a%2F%2B%3D%C3%A9 planted-3f9c1b7a/%2B%3D%C3%A9 planted-3f9c1b7a/+=\\u00e9"

    assert masked(spelled) == "*** *** *** ***"


def test_however_often_it_is_asked_for_records_are_masked_once() -> None:
    logs.keep_secrets()
    before = logging.getLogRecordFactory()

    logs.keep_secrets()

    assert logging.getLogRecordFactory() is before
