"""Authenticates each request once, by its bearer token or session cookie."""

from dataclasses import dataclass

from starlette.types import Scope

from services.gateway.signing_in.sessions import Principal, Sessions
from shared.http import problems
from shared.http.serving.limits import RUNNING, Running

COOKIE = "ledgerdesk_session"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
BEFORE_A_CHANGE = frozenset(
    (("GET", "/api/v1/session"), ("DELETE", "/api/v1/session"), ("POST", "/api/v1/session/password"))
)
"""All that a person may do before they have changed a password that somebody else has set (A10.11)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a request came from, as a trusted proxy in front reports it."""

    address: str
    scheme: str
    host: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"


@dataclass(frozen=True, slots=True)
class Authentication:
    """`trusts_proxy`: X-Forwarded-For and X-Forwarded-Proto come from a trusted reverse proxy."""

    sessions: Sessions
    trusts_proxy: bool = False

    async def __call__(self, scope: Scope) -> Principal:
        """Raises Problem 401 without a valid sign-in, 403 for a change that another site sends with the cookie and for a
        person who must change the password first, 429 for a person with too many running requests."""
        principal = await self._principal(scope)
        running: Running | None = scope.get(RUNNING)
        if running is not None:
            running.count_for(str(principal.identity.person_id))
        if principal.must_change and (scope["method"], scope["path"]) not in BEFORE_A_CHANGE:
            raise problems.Problem(
                403,
                "password-must-change",
                "Somebody else has set your password. Choose one of your own first (POST /api/v1/session/password).",
            )
        return principal

    async def _principal(self, scope: Scope) -> Principal:
        authorization: bytes | None = None
        cookies: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                if authorization is not None:
                    raise problems.unauthorized("There are two Authorization headers. Send one.")
                authorization = value
            elif name == b"cookie":
                cookies.append(value)
        if authorization is not None:
            kind, _, secret = authorization.partition(b" ")
            if kind.lower() != b"bearer":
                raise problems.unauthorized("Sign in with a bearer token.")
            return await self._known(secret.strip().decode("latin-1"))
        secret_of_cookie = session_cookie(cookies)
        if secret_of_cookie is None:
            raise problems.unauthorized()
        if scope["method"] not in SAFE:
            self.require_same_origin(scope)
        return await self._known(secret_of_cookie)

    async def _known(self, secret: str) -> Principal:
        principal = await self.sessions.authenticate(secret)
        if principal is None:
            raise problems.unauthorized("The sign-in is not valid or has ended. Sign in again.")
        return principal

    def require_same_origin(self, scope: Scope, *, absent_is_fine: bool = False) -> None:
        """Refuses requests that another site makes a browser send: Origin must be this site, or absent if
        `absent_is_fine`."""
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not origins and absent_is_fine:
            return
        if origins != [self.arrival(scope).origin]:
            raise problems.Problem(
                403,
                "foreign-origin",
                "A change with the session cookie needs an Origin header of this site.",
            )

    def arrival(self, scope: Scope) -> Arrival:
        """The address of the caller, and the scheme and host of its request."""
        client = scope.get("client")
        address, scheme, host = client[0] if client else "", scope["scheme"], ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower()
            elif self.trusts_proxy and name == b"x-forwarded-for":
                address = value.decode("latin-1").rpartition(",")[2].strip()
            elif self.trusts_proxy and name == b"x-forwarded-proto" and value in (b"http", b"https"):
                scheme = value.decode()
        return Arrival(address, scheme, host)


def cookie_of(scope: Scope) -> str | None:
    """The secret of the session in the cookie of a request, if there is one."""
    return session_cookie([value for name, value in scope["headers"] if name == b"cookie"])


def session_cookie(headers: list[bytes]) -> str | None:
    """The secret of the session in the Cookie headers, if there is one."""
    wanted = COOKIE.encode()
    for header in headers:
        for pair in header.split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == wanted:
                return value.decode("latin-1")
    return None


def set_cookie(secret: str, seconds: int, *, secure: bool) -> str:
    """The Set-Cookie value of a session; 0 seconds deletes the cookie."""
    return f"{COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
