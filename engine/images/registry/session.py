"""Requests to one registry as one user: which scheme, who is asking, where redirections lead, what fails how.

Specs: OCI distribution-spec; Docker's token authentication (distribution/docs/spec/auth/token.md, oauth.md).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from yarl import URL

from engine.decoding import decode
from engine.errors import NotFound, NotPermitted, TiffinError, Unreachable
from engine.images.registry.challenge import Challenge, challenges
from engine.images.registry.settings import Settings, is_loopback
from engine.model import RegistryLogin

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)  # seconds
REDIRECTS = 5
TOLD = 64 << 10  # bytes of an error's or a token's document that are read
BUFFER = 1 << 20  # bytes read ahead of a connection
CLIENT = "tiffin"

Data = bytes | Callable[[], AsyncIterator[bytes]]


class Transient(Unreachable):
    """A failure that may be gone at the next try, which is to wait `after` seconds where that is known."""

    def __init__(self, message: str, remedy: str = "", after: float = 0.0) -> None:
        super().__init__(message, remedy)
        self.after = after


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class _Fault(msgspec.Struct):
    code: str = ""
    message: str | None = ""


class _Faults(msgspec.Struct):
    errors: list[_Fault] = []


class Session:
    """Speaks to one registry; an async context manager. `doing` begins every complaint: "pulling x:1"."""

    def __init__(
        self, registry: str, host: str, settings: Settings, login: RegistryLogin, doing: str, lanes: int = 8
    ) -> None:
        self._registry = registry
        self._host = host
        self._settings = settings
        self._login = login
        self._doing = doing
        self._lanes = lanes
        self._proofs: dict[tuple[str, ...], str] = {}  # Authorization by scopes
        self._reached = False  # failures before the first answer are not for trying again
        self._base = URL()
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        plainly = await self._is_plain()
        # The system's authorities take some milliseconds to read.
        tls = True if plainly else await asyncio.to_thread(self._settings.tls, self._host)
        self._base = URL(f"{'http' if plainly else 'https'}://{self._host}/v2/")
        self._http = self._client(tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    def _client(self, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._lanes, ssl=tls),
            timeout=TIMEOUT,
            headers={"User-Agent": CLIENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=BUFFER,
        )

    async def _is_plain(self) -> bool:
        """Whether it is spoken to without TLS: it is named so, or is this machine itself and answers so."""
        if self._host in self._settings.plain_http():
            return True
        if not is_loopback(self._host) or self._settings.certificates(self._host):
            return False
        try:
            async with (
                self._client(True) as client,
                client.get(f"http://{self._host}/v2/", allow_redirects=False) as response,
            ):
                return response.status in (200, 401)
        except aiohttp.ClientConnectorError as error:
            raise self._trouble(error) from error
        except (aiohttp.ClientError, TimeoutError):
            return False

    def url(self, path: str) -> URL:
        """Below /v2/; `path` is encoded already."""
        return URL(f"{self._base}{path}", encoded=True)

    def beside(self, response: aiohttp.ClientResponse, what: str) -> URL:
        """Where a Location header leads; raises Unreachable where there is none, or it leaves TLS."""
        location = response.headers.get("Location", "")
        try:
            target = response.url.join(URL(location, encoded=True))
        except ValueError:
            target = URL()
        if not location or target.scheme not in ("http", "https"):
            raise self.nonsense(f"{what}: it leads to {location!r}"[:300])
        if response.url.scheme == "https" and target.scheme == "http":
            raise self.nonsense(f"{what}: it leads from https to {target.with_query(None)}")
        return target

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        what: str,
        *,
        scopes: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        data: Data | None = None,
        accept: Sequence[int] = (),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One answer below 300, or of a status in `accept`; `what` is asked for, in words.

        Raises NotFound, NotPermitted; Transient for what may go better at the next try; Unreachable.
        """
        try:
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(REDIRECTS + 1):
                    response = await self._ask(stack, method, url, scopes, headers, query, data, what)
                    if response.status in (301, 302, 303, 307, 308) and method in ("GET", "HEAD"):
                        url, query = self.beside(response, what), None
                        response.release()
                        continue
                    if response.status >= 300 and response.status not in accept:
                        raise await self._refusal(response, what)
                    yield response
                    return
                raise self.nonsense(f"{what}: it leads on and on")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._trouble(error) from error

    async def _ask(
        self,
        stack: contextlib.AsyncExitStack,
        method: str,
        url: URL,
        scopes: Sequence[str],
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        data: Data | None,
        what: str,
    ) -> aiohttp.ClientResponse:
        """The answer to one request, made again with a proof of who asks where that is wanted."""
        ours = url.origin() == self._base.origin()  # nobody else is told who asks
        if query:
            url = url.update_query(query)
        for attempt in range(3):
            proof = self._proofs.get(tuple(scopes)) if ours else None
            sent = {**(headers or {}), **({"Authorization": proof} if proof else {})}
            body = data() if callable(data) else data
            response = await stack.enter_async_context(
                self._http.request(method, url, headers=sent, data=body, allow_redirects=False)
            )
            self._reached = True
            if response.status != 401 or not ours or attempt == 2 or (attempt == 1 and not proof):
                return response
            offered = challenges(response.headers.getall("WWW-Authenticate", []))
            response.release()
            if attempt == 1 and proof and proof.startswith("Basic"):
                raise self._unknown_user()
            self._proofs[tuple(scopes)] = await self._prove(offered, scopes, what)
        raise AssertionError

    # ── who is asking ───────────────────────────────────────────────────────────────────────────────────────

    async def _prove(self, offered: list[Challenge], scopes: Sequence[str], what: str) -> str:
        """What to say of oneself for these scopes; raises NotPermitted."""
        for challenge in offered:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return f"Bearer {await self._token(challenge.parameters, scopes)}"
            if challenge.scheme == "basic":
                if not self._login.username:
                    raise self._unknown_user()
                return self._basic()
        raise self.nonsense(f"{what}: it wants a login, but of no kind that is known here")

    def _basic(self) -> str:
        pair = f"{self._login.username}:{self._login.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    async def _token(self, parameters: Mapping[str, str], scopes: Sequence[str]) -> str:
        try:
            realm = URL(parameters["realm"])
        except ValueError:
            realm = URL()
        if realm.scheme not in ("https", self._base.scheme) or not realm.host:
            raise self.nonsense(f"its token service is {parameters['realm'][:200]!r}")
        service = parameters.get("service", "")
        wanted = list(scopes) or parameters.get("scope", "").split()
        headers: dict[str, str] = {}
        if self._login.token:
            form = {"grant_type": "refresh_token", "refresh_token": self._login.token, "service": service}
            form |= {"client_id": CLIENT, "scope": " ".join(wanted)}
            asking = self._http.post(realm, data=form, allow_redirects=False)
        else:
            query = [("service", service)] if service else []
            query += [("scope", scope) for scope in wanted]
            if self._login.username:
                query.append(("account", self._login.username))
                headers["Authorization"] = self._basic()
            asking = self._http.get(realm.extend_query(query), headers=headers, allow_redirects=False)
        async with asking as response:
            if response.status in (400, 401, 403):
                raise self._unknown_user()
            if response.status != 200:
                raise await self._refusal(response, "a token")
            body = await response.content.read(TOLD)
        try:
            found = decode(body, _Token)
        except msgspec.MsgspecError as error:
            raise self.nonsense(f"its token service's answer is malformed: {error}") from error
        if not (token := found.token or found.access_token):
            raise self.nonsense("its token service's answer has no token")
        return token

    # ── what fails ──────────────────────────────────────────────────────────────────────────────────────────

    def _unknown_user(self) -> NotPermitted:
        who = self._login.username or ("the stored token" if self._login.token else "")
        said = f"does not accept the login of {who}" if who else "wants a login, or has no such image"
        return NotPermitted(
            f"{self._doing}: {self._registry} {said}", f"log in with: tiffin login {self._registry}"
        )

    def nonsense(self, what: str) -> Unreachable:
        """The error for an answer that no registry should give."""
        return Unreachable(f"{self._doing}: {self._registry}: {what}", "ask those who run that registry")

    async def _refusal(self, response: aiohttp.ClientResponse, what: str) -> TiffinError:
        """The error for an answer that says no."""
        status = response.status
        reason = _told(await response.content.read(TOLD)) or response.reason or ""
        told = f"{self._doing}: {self._registry} answered {status} when asked for {what}"
        told += f": {reason}" if reason else ""
        if status == 401:
            return self._unknown_user()
        if status == 403:
            return NotPermitted(told, f"log in as somebody who may: tiffin login {self._registry}")
        if status == 404:
            return NotFound(told, "look whether the name and the tag are right")
        if status in (408, 425, 429) or status >= 500:
            return Transient(told, "try again later", _seconds(response.headers.get("Retry-After", "")))
        return Unreachable(told, "ask those who run that registry")

    def _trouble(self, error: BaseException) -> TiffinError:
        """The error for a connection that fails."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return Unreachable(
                f"{self._doing}: {self._registry} proves who it is by a certificate that is not trusted: "
                f"{getattr(error.certificate_error, 'verify_message', error.certificate_error)}",
                f"put its authority's certificate into {self._settings.folders[0] / self._host}/ca.crt",
            )
        if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientSSLError):
            return Unreachable(
                f"{self._doing}: {self._registry} does not speak TLS: {error.os_error.strerror or error}"
                if isinstance(error, aiohttp.ClientConnectorError)
                else f"{self._doing}: {self._registry} does not speak TLS: {error}",
                f'if it is meant to, add it to plain_http = ["{self._host}"] in {self._settings.path}',
            )
        if isinstance(error, TimeoutError):
            reason = "it does not answer"
        elif isinstance(error, aiohttp.ClientConnectorDNSError):
            reason = "its name is not known"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        else:
            reason = str(error).partition("\n")[0] or type(error).__name__
        told, remedy = (
            f"{self._doing}: reaching {self._registry}: {reason}",
            "look whether the name is right and the network works",
        )
        return Transient(told, remedy) if self._reached else Unreachable(told, remedy)


def _told(body: bytes) -> str:
    """What a registry says is wrong, in its own words; distribution-spec, "Error Codes"."""
    with contextlib.suppress(msgspec.MsgspecError):
        faults = decode(body, _Faults).errors
        return ", ".join(fault.message or fault.code for fault in faults)[:300]
    return ""


def _seconds(text: str) -> float:
    return min(float(text), 60.0) if text.isdigit() else 0.0


def failure(error: Any) -> str:
    """The reason alone of a failure, for a note beside a progress bar."""
    return str(getattr(error, "message", error)).rpartition(": ")[2]
