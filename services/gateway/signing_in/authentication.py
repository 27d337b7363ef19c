"""From a request's headers to who is asking. Everything that comes in passes here exactly once."""

from dataclasses import dataclass

from starlette.types import Scope

from services.gateway.signing_in.sessions import Sessions, Signed
from shared.http import problems
from shared.http.serving.limits import RUNNING, Running

COOKIE = "ledgerdesk_session"
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a request came from, with what a trusted proxy in front says taken into account."""

    address: str
    scheme: str
    host: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"


@dataclass(frozen=True, slots=True)
class Authentication:
    """Reads the bearer token or the cookie. `trusts_proxy`: X-Forwarded-For and -Proto come from a proxy of ours."""

    sessions: Sessions
    trusts_proxy: bool = False

    async def __call__(self, scope: Scope) -> Signed:
        """Raises Problem 401 without a valid sign-in, 403 for a cookie request that changes something from elsewhere, 429 for somebody
        who has too many requests running."""
        signed = await self._signed(scope)
        running: Running | None = scope.get(RUNNING)
        if running is not None:
            running.count_for(str(signed.identity.person_id))
        return signed

    async def _signed(self, scope: Scope) -> Signed:
        authorization: bytes | None = None
        cookies: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                if authorization is not None:
                    raise problems.unauthorized("There are two Authorization headers.")
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

    async def _known(self, secret: str) -> Signed:
        signed = await self.sessions.authenticate(secret)
        if signed is None:
            raise problems.unauthorized("The sign-in is not valid or has ended.")
        return signed

    def require_same_origin(self, scope: Scope, *, absent_is_fine: bool = False) -> None:
        """Refuses what another site makes a browser send: the Origin must be ours, and be there unless absence is fine."""
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not origins and absent_is_fine:
            return
        if origins != [self.arrival(scope).origin]:
            raise problems.Problem(
                403,
                "foreign-origin",
                "A request with the session cookie that changes something needs an Origin of this site.",
            )

    def arrival(self, scope: Scope) -> Arrival:
        """The caller's address, and the scheme and host by which it reached us."""
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
    """The session's secret in a request's cookie, if there is one."""
    return session_cookie([value for name, value in scope["headers"] if name == b"cookie"])


def session_cookie(headers: list[bytes]) -> str | None:
    """The session's secret in the Cookie headers, if there is one."""
    wanted = COOKIE.encode()
    for header in headers:
        for pair in header.split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == wanted:
                return value.decode("latin-1")
    return None


def set_cookie(secret: str, seconds: int, *, secure: bool) -> str:
    """The Set-Cookie value of a session; with 0 seconds it takes the cookie away."""
    return f"{COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
