"""The session under both SDKs: where it speaks to, until when, and what it says when it fails."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError

from channels.base import Deadline
from channels.sandbox.faults import Fault, named
from channels.sandbox.server import Sandbox
from channels.session import DeadlinePassed, NetworkSession, Redirected, mask, mask_log, never_sent, require_safe

HOST = "https://network.example"
TOKEN = "EAAP-a-token-that-nobody-may-read"


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[NetworkSession]:
    sandbox.graph.create_page("111", "Académie A", token=TOKEN)
    with NetworkSession(HOST, sandbox.url, timeouts=(1.0, 2.0)) as one:
        yield one


def failure(call: Callable[[], object]) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        call()
    return caught.value


@contextmanager
def listener(talk: Callable[[socket.socket], None], base: str = "http") -> Iterator[tuple[str, list[int]]]:
    """A bare socket that talks as told; answers its address and a list that grows with each connection."""
    connections: list[int] = []
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                guest, _ = door.accept()
            except OSError:
                return
            connections.append(1)
            with guest:
                try:
                    talk(guest)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"{base}://127.0.0.1:{door.getsockname()[1]}", connections
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join(5)


# --- Where it speaks to -------------------------------------------------------------------------------


def test_calls_to_the_original_host_go_to_the_base_address(session: NetworkSession, sandbox: Sandbox) -> None:
    answer = session.get(f"{HOST}/v26.0/me", params={"access_token": TOKEN})

    assert answer.json()["id"] == "111"
    assert sandbox.calls[0].path == "/v26.0/me"


@pytest.mark.parametrize("url", ["https://elsewhere.example/", f"{HOST}.evil.example/", "http://network.example/", ""])
def test_it_speaks_to_no_other_host(session: NetworkSession, sandbox: Sandbox, url: str) -> None:
    failure(lambda: session.get(url))

    assert len(sandbox.calls) == 0


@pytest.mark.parametrize("base", ["http://192.0.2.1", "http://sandbox.example", "ftp://127.0.0.1", "127.0.0.1", ""])
def test_plain_http_leaves_this_machine_never(base: str) -> None:
    with pytest.raises(ValueError):
        require_safe(base)


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://localhost", "http://[::1]:8", "https://a.example"])
def test_plain_http_on_this_machine_and_https_anywhere_are_taken(base: str) -> None:
    require_safe(base)

    assert NetworkSession(HOST, base).detoured is True


def test_on_a_detour_the_machines_proxy_is_left_aside(session: NetworkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert session.get(f"{HOST}/_sandbox/health").status_code == 200


def test_without_a_detour_the_machines_proxy_counts() -> None:
    assert NetworkSession(HOST).trust_env is True
    assert NetworkSession(HOST, HOST).trust_env is True


def test_a_proxy_is_spoken_to_by_the_same_careful_connections(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", sandbox.url)
    with NetworkSession("http://network.example") as session:
        answer = session.get("http://network.example/v26.0/me")

    assert answer.status_code == 421  # the sandbox is nobody's proxy, but it was asked


def test_no_password_is_taken_from_the_machine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with NetworkSession(sandbox.url) as session:
        session.get(f"{sandbox.url}/v26.0/me")

    assert "authorization" not in sandbox.calls[0].headers


def test_a_redirect_is_an_error_and_not_followed(session: NetworkSession, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("answer", status=307, headers={"location": f"{sandbox.url}/v26.0/me"}))

    error = failure(lambda: session.get(f"{HOST}/v26.0/me", allow_redirects=True))

    assert isinstance(error, Redirected)
    assert never_sent(error) is False
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("name", ["hang_up_before", "reset_before", "unavailable_before", "cut"])
def test_nothing_is_sent_twice(session: NetworkSession, sandbox: Sandbox, name: str) -> None:
    sandbox.faults.add(named(name, times=None))

    with contextlib.suppress(requests.RequestException):
        session.post(f"{HOST}/v26.0/111/feed", data={"access_token": TOKEN, "message": "x"})

    assert len(sandbox.calls) == 1


# --- What it keeps ------------------------------------------------------------------------------------


def test_the_last_answer_is_kept_with_status_headers_and_body(session: NetworkSession) -> None:
    session.get(f"{HOST}/v26.0/me")

    assert session.last
    assert session.last.status == 400
    assert session.last.headers["FaceBook-Api-Version"] == "v26.0"
    assert session.last.body["error"]["code"] == 2500
    assert session.last.well is False


def test_an_answer_that_is_no_json_has_no_body(session: NetworkSession, sandbox: Sandbox) -> None:
    sandbox.faults.add(named("html_200_after"))
    session.get(f"{HOST}/v26.0/me")

    assert session.last
    assert (session.last.well, session.last.body) == (True, None)


def test_a_failed_call_leaves_no_earlier_answer_behind(session: NetworkSession, sandbox: Sandbox) -> None:
    session.get(f"{HOST}/v26.0/me")
    sandbox.faults.add(named("hang_up_before"))
    failure(lambda: session.get(f"{HOST}/v26.0/me"))

    assert session.last is None


def test_each_thread_has_its_own_last_answer(session: NetworkSession) -> None:
    session.get(f"{HOST}/v26.0/me")
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(session.last))
    thread.start()
    thread.join()

    assert seen == [None]


# --- Until when ---------------------------------------------------------------------------------------


def test_past_the_deadline_nothing_is_sent(session: NetworkSession, sandbox: Sandbox) -> None:
    def call() -> None:
        with session.within(Deadline.after(-0.001)):
            session.post(f"{HOST}/v26.0/111/feed", data={"message": "x"})

    error = failure(call)

    assert isinstance(error, DeadlinePassed)
    assert never_sent(error) is True
    assert len(sandbox.calls) == 0


class Closing(Deadline):
    """Passes while the connection is being made."""

    @property
    def passed(self) -> bool:
        return True


def test_the_last_look_is_right_before_the_first_byte(session: NetworkSession, sandbox: Sandbox) -> None:
    def call() -> None:
        with session.within(Closing.after(5)):
            session.post(f"{HOST}/v26.0/111/feed", data={"message": "x"})

    assert never_sent(failure(call)) is True
    assert len(sandbox.calls) == 0


def test_a_deadline_holds_for_its_block_only(session: NetworkSession) -> None:
    with session.within(Deadline.after(5)):
        session.get(f"{HOST}/v26.0/me")

    assert session.get(f"{HOST}/v26.0/me").status_code == 400


def test_a_slow_drip_ends_at_the_deadline(session: NetworkSession, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("drip", seconds=0.05))
    began = time.monotonic()

    def call() -> None:
        with session.within(Deadline.after(0.3)):
            session.get(f"{HOST}/v26.0/me")

    error = failure(call)

    assert isinstance(error, DeadlinePassed)
    assert never_sent(error) is False
    assert 0.25 < time.monotonic() - began < 1.5


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
def test_whatever_drips_and_however_the_connection_is_to_end(head: bytes) -> None:
    def drip(guest: socket.socket) -> None:
        guest.recv(65536)
        guest.sendall(head)
        while True:
            guest.sendall(b"x")
            time.sleep(0.02)

    with listener(drip) as (base, _), NetworkSession(HOST, base, total=0.3) as session:
        error = failure(lambda: session.get(f"{HOST}/"))

    assert isinstance(error, DeadlinePassed | requests.ConnectionError)
    assert never_sent(error) is False


def test_a_handshake_that_never_ends_means_that_nothing_was_sent() -> None:
    ended = threading.Event()

    def say_nothing(guest: socket.socket) -> None:
        guest.recv(65536)
        ended.wait(5)

    with listener(say_nothing, "https") as (base, _), NetworkSession(HOST, base, total=0.3) as session:
        error = failure(lambda: session.post(f"{HOST}/", data={"a": "b"}))
        ended.set()

    assert never_sent(error) is True


def test_what_cannot_be_taken_back_never_goes_out_on_an_old_connection() -> None:
    def serve_one_after_another(guest: socket.socket) -> None:
        guest.settimeout(2)
        while guest.recv(65536):
            guest.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with (
        listener(serve_one_after_another) as (base, connections),
        NetworkSession(HOST, base) as session,
    ):
        session.get(f"{HOST}/")
        session.get(f"{HOST}/")
        before = len(connections)
        with session.within(Deadline.after(5)):
            session.post(f"{HOST}/")

    assert (before, len(connections)) == (1, 2)


def test_every_call_has_a_time_out_of_its_own(session: NetworkSession, sandbox: Sandbox) -> None:
    session.timeouts = (1.0, 0.1)
    sandbox.faults.add(named("hang"))

    error = failure(lambda: session.get(f"{HOST}/v26.0/me", timeout=None))

    assert isinstance(error, requests.ReadTimeout)
    assert never_sent(error) is False


# --- Was anything sent? -------------------------------------------------------------------------------


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        base = f"http://127.0.0.1:{door.getsockname()[1]}"
    with NetworkSession(HOST, base) as session:
        assert never_sent(failure(lambda: session.post(f"{HOST}/"))) is True


def test_a_name_that_nobody_knows_means_that_nothing_was_sent() -> None:
    with NetworkSession(HOST, "https://relais.invalid") as session:
        assert never_sent(failure(lambda: session.post(f"{HOST}/"))) is True


POOL: Any = None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (requests.ConnectTimeout("x"), True),
        (requests.ConnectionError(MaxRetryError(POOL, "/", NewConnectionError(POOL, "refused"))), True),
        (requests.ConnectionError(MaxRetryError(POOL, "/", NameResolutionError("a", POOL, socket.gaierror()))), True),
        (requests.ConnectionError(MaxRetryError(POOL, "/", ProtocolError("cut"))), False),
        (requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))), False),
        (requests.ConnectionError("x"), False),
        (requests.ConnectionError(), False),
        (requests.ReadTimeout("x"), False),
        (requests.exceptions.ChunkedEncodingError("x"), False),
        (requests.exceptions.SSLError("x"), False),
        (requests.RequestException("x"), False),
        (RuntimeError("x"), False),
        (KeyError("x"), False),
    ],
)
def test_only_a_connection_that_was_never_made_is_sure(error: Exception, expected: bool) -> None:
    assert never_sent(error) is expected


def test_a_call_that_could_not_even_be_made_was_not_sent(session: NetworkSession, sandbox: Sandbox) -> None:
    error = failure(lambda: session.get(f"{HOST}/", headers=5))  # type: ignore[arg-type]

    assert never_sent(error) is True
    assert len(sandbox.calls) == 0


def test_an_error_is_known_inside_another_one() -> None:
    outer = RuntimeError("a library's own")
    outer.__cause__ = requests.ConnectTimeout("x")

    assert never_sent(outer) is True


# --- What it says -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hang_up_before", "reset_before", "cut", "redirect"])
def test_no_error_holds_a_token(session: NetworkSession, sandbox: Sandbox, name: str) -> None:
    sandbox.faults.add(named(name))

    error = failure(lambda: session.get(f"{HOST}/v26.0/me", params={"access_token": TOKEN}))

    assert TOKEN not in "".join(traceback.format_exception(error)) + repr(vars(error))


def test_a_refused_connection_does_not_print_the_address_with_its_token(session: NetworkSession) -> None:
    session.base_url = "http://127.0.0.1:1"

    error = failure(lambda: session.get(f"{HOST}/v26.0/me", params={"access_token": TOKEN}))

    assert TOKEN not in "".join(traceback.format_exception(error))
    assert "access_token=***" in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/me?access_token=abc&limit=1", "/me?access_token=***&limit=1"),
        ("input_token=a%7Cb", "input_token=***"),
        ('{"access_token": "abc", "id": "1"}', '{"access_token": "***", "id": "1"}'),
        ("{'access_token': 'abc'}", "{'access_token': '***'}"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ('oauth_token="abc", oauth_nonce="1"', 'oauth_token="***", oauth_nonce="1"'),
        ("nothing to hide", "nothing to hide"),
        ("a known|secret and known%7Csecret", "a *** and ***"),
    ],
)
def test_tokens_are_masked_wherever_they_stand(text: str, expected: str) -> None:
    assert mask(text, ["known|secret"]) == expected


def test_a_secret_of_a_few_letters_takes_none_out_of_a_sentence() -> None:
    assert mask("The network said no.", ["t", "network", ""]) == "The network said no."


def test_logs_are_masked_too(session: NetworkSession, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session.get(f"{HOST}/v26.0/me", params={"access_token": TOKEN})
    mask_log("a.library")
    mask_log("a.library")
    logging.getLogger("a.library").debug("Params: %s", {"access_token": TOKEN})

    assert "access_token" in caplog.text
    assert TOKEN not in caplog.text
