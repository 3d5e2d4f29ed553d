"""The REST client that people's commands use: one address, one token, and errors that say what to do."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hub.domain.errors import FieldProblem, HubError, Invalid, NotAllowed, NotFound, NotSignedIn, WrongState
from hub.language import _, default_language

if TYPE_CHECKING:
    import httpx

USUAL_URL: Final = "http://127.0.0.1:8000"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
CONNECT_SECONDS, ANSWER_SECONDS = 5, 60
MAKING_SECONDS: Final = 1800
"""A workbook of a million rows is made before its first byte is sent."""

ERRORS: Final[Mapping[int, type[HubError]]] = {401: NotSignedIn, 403: NotAllowed, 404: NotFound, 409: WrongState}
"""Kind of error by status; 400, 413 and 422 carry problems, any other one is plain trouble."""


@dataclass(frozen=True)
class Download:
    """Something large that comes piece by piece; how many rows and bytes it has, where that is known before."""

    pieces: Iterator[bytes]
    rows: int | None
    length: int | None


class Client:
    """One Relais, as one person; without a token only what everybody may see."""

    def __init__(self, url: str, token: str | None = None, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = checked_url(url)
        self._token = token
        self._transport = transport

    def get(self, path: str, **query: Any) -> Any:
        """What is at this path; values that are None are left out of the query."""
        return self._asked("GET", path, params=_given(query))

    def post(self, path: str, body: Any = None) -> Any:
        """Hand in a body as JSON."""
        return self._asked("POST", path, json={} if body is None else body)

    def put(self, path: str, body: Any, *, version: int | None = None) -> Any:
        """Hand in a changed thing; with its version, refused when somebody changed it meanwhile."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return self._asked("PUT", path, json=body, headers=headers)

    def delete(self, path: str) -> Any:
        """End what is at this path."""
        return self._asked("DELETE", path)

    def upload(self, path: str, file: Path) -> Any:
        """Hand in a file."""
        try:
            with file.open("rb") as content:
                return self._asked("POST", path, files={"file": ("picture", content)})
        except OSError as error:
            raise Invalid(_("{file} cannot be read: {why}.", file=file, why=error.strerror), field=str(file)) from error

    @contextmanager
    def download(self, path: str, **query: Any) -> Iterator[Download]:
        """What is at this path, piece by piece; HubError when it ends before its end."""
        import httpx

        with (
            self._explained(),
            self._opened(MAKING_SECONDS) as client,
            client.stream("GET", self._address(path), params=_given(query)) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                raise self._error(answer)
            rows, length = (answer.headers.get(name) for name in ("Relais-Rows", "Content-Length"))
            try:
                yield Download(answer.iter_bytes(), int(rows) if rows else None, int(length) if length else None)
            except httpx.HTTPError as error:
                raise HubError(
                    _(
                        "What {url} was sending broke off ({why}), and nothing was kept. Try again; if it breaks "
                        "off again, the log of Relais says why.",
                        url=self.url,
                        why=type(error).__name__,
                    )
                ) from error

    def _asked(self, method: str, path: str, **rest: Any) -> Any:
        with self._explained(), self._opened() as client:
            answer = client.request(method, self._address(path), **rest)
        if answer.status_code == 204:
            return None
        if not 200 <= answer.status_code < 300:
            raise self._error(answer)
        return self._read(answer)

    def _address(self, path: str) -> str:
        return f"{self.url}/api/v1{path}"

    def _opened(self, patience: float = ANSWER_SECONDS) -> httpx.Client:
        import httpx

        headers = {"Accept": "application/json", "Accept-Language": default_language()}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(patience, connect=CONNECT_SECONDS),
            # A proxy of the environment knows nothing of this machine's own addresses.
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
            transport=self._transport,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn a connection that fails into one sentence that says what to do."""
        import httpx

        try:
            yield
        except UnicodeEncodeError as error:
            raise Invalid(_("The text holds characters that no network can show. Type it anew.")) from error
        except httpx.ConnectError as error:
            raise HubError(
                _(
                    "No Relais answers at {url}. Is “relais serve” running there? "
                    "“relais login --url …” or RELAIS_URL choose another address.",
                    url=self.url,
                )
            ) from error
        except httpx.TimeoutException as error:
            raise HubError(
                _(
                    "{url} did not answer in time. Before you repeat a change, look whether it was made.",
                    url=self.url,
                )
            ) from error
        except httpx.HTTPError as error:
            raise HubError(
                _(
                    "The connection with {url} broke ({why}). Before you repeat a change, look whether it was made.",
                    url=self.url,
                    why=type(error).__name__,
                )
            ) from error

    def _read(self, answer: httpx.Response) -> Any:
        try:
            if "json" not in answer.headers.get("content-type", ""):
                raise self._stranger(answer)
            return answer.json()
        except ValueError as error:
            raise self._stranger(answer) from error

    def _stranger(self, answer: httpx.Response) -> HubError:
        return HubError(
            _(
                "What answers at {url} does not speak like Relais (status {status}). Check the address: "
                "perhaps a proxy or another site stands there.",
                url=self.url,
                status=answer.status_code,
            )
        )

    def _error(self, answer: httpx.Response) -> HubError:
        """The error that a problem document tells."""
        try:
            told = self._read(answer)
            detail = str(told["detail"])
            problems = [FieldProblem(str(one["field"]), str(one["message"])) for one in told.get("problems", [])]
        except HubError as error:
            return error
        except (KeyError, TypeError, AttributeError):
            return self._stranger(answer)
        if answer.status_code in {400, 413, 422}:
            return Invalid(problems or detail)
        return ERRORS.get(answer.status_code, HubError)(detail)


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None and value != []}


def checked_url(url: str) -> str:
    """The address of a Relais; Invalid for what is none, or would show a password to the network in between."""
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise Invalid(_("“{url}” is not an address. It should look like https://relais.example.org.", url=url))
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Invalid(_("Plain http is taken for this machine only: passwords would be readable. Use https."))
    return url.strip().rstrip("/")


# --- Who is logged in -------------------------------------------------------------------------------------


def logged_in() -> Client | None:
    """The client of whoever is logged in, or None; RELAIS_URL and RELAIS_TOKEN win over what was kept."""
    kept = _kept()
    url, token = os.environ.get("RELAIS_URL"), os.environ.get("RELAIS_TOKEN")
    if token:
        return Client(url or kept.get("url") or USUAL_URL, token)
    if not kept.get("token") or (url and checked_url(url) != kept.get("url")):
        # A token is good for one Relais, and no other one shall get to see it.
        return None
    return Client(kept["url"], kept["token"])


def require_login() -> Client:
    """The client of whoever is logged in, or NotSignedIn."""
    client = logged_in()
    if client is None:
        raise NotSignedIn(_("Nobody is logged in here. Run “relais login” first."))
    return client


def usual_url() -> str:
    """Where to log in when nothing else is said."""
    return os.environ.get("RELAIS_URL") or _kept().get("url") or USUAL_URL


def keep_login(url: str, token: str) -> Path:
    """Keep a token for the next command, in a file that only its owner reads."""
    file = _file()
    unfinished = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump({"url": checked_url(url), "token": token}, out)
        unfinished.replace(file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise HubError(
            _(
                "The login cannot be kept in {file}: {why}. Set RELAIS_CONFIG to a folder that you may write.",
                file=file,
                why=error.strerror,
            )
        ) from error
    return file


def forget_login() -> None:
    """Throw the kept token away."""
    with suppress(FileNotFoundError):
        _file().unlink()


def _file() -> Path:
    import typer

    return Path(os.environ.get("RELAIS_CONFIG") or typer.get_app_dir("relais")) / "login.json"


def _kept() -> dict[str, str]:
    try:
        told = json.loads(_file().read_text(encoding="utf-8"))
        return {name: str(told[name]) for name in ("url", "token")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HubError(_("{file} cannot be read. Delete it, then run “relais login” again.", file=_file())) from error
