"""The signed identity between gateway and services: only what was signed for this service passes, for a minute."""

import base64
import time
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.access import Identity
from shared.http import identity
from shared.http.identity import IdentityVerifier, sign, verify
from shared.http.problems import Problem

KEY = "a key of the gateway and its services"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDENTITIES = st.builds(
    Identity,
    person_id=st.uuids(),
    kind=st.sampled_from(("admin", "agent", "customer", "service")),
    login=TEXT,
    name=TEXT,
    email=TEXT,
    roles=st.lists(TEXT, max_size=3).map(tuple),
    company=st.none() | TEXT,
    scopes=st.none() | st.lists(TEXT, max_size=3).map(tuple),
)
KARI = Identity(
    person_id=UUID(int=7), kind="agent", login="kari", name="Kari", email="kari@example.org", roles=("agent",)
)


def refused(header: str | None, audience: str = "routing", key: str = KEY) -> bool:
    with pytest.raises(Problem) as caught:
        verify(header, audience, key)
    return caught.value.status == 401


@given(IDENTITIES)
def test_what_was_signed_is_what_is_read(who: Identity) -> None:
    read = verify(sign(who, "routing", KEY), "routing", KEY)
    assert read.model_copy(update={"expires": who.expires}) == who
    assert 0 < read.expires - time.time() <= identity.LIFETIME


@given(st.data())
def test_a_changed_character_is_refused(data: st.DataObject) -> None:
    header = sign(KARI, "routing", KEY)
    at = data.draw(st.integers(0, len(header) - 1))
    other = data.draw(st.characters(min_codepoint=1, max_codepoint=0x2FF).filter(lambda c: c != header[at]))
    assert refused(header[:at] + other + header[at + 1 :])


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_refused(header: str) -> None:
    assert refused(header)


def test_a_missing_one_is_refused() -> None:
    assert refused(None)
    assert refused("")


def test_one_for_another_service_is_refused() -> None:
    assert refused(sign(KARI, "intake", KEY))


def test_one_with_another_key_is_refused() -> None:
    assert refused(sign(KARI, "routing", "another key"))


def test_an_expired_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    header = sign(KARI, "routing", KEY, ttl=10)
    now = time.time()
    monkeypatch.setattr("shared.http.identity.time.time", lambda: now + 11)
    assert refused(header)


def test_one_that_would_live_too_long_is_refused_even_with_the_key() -> None:
    payload = base64.urlsafe_b64encode(
        orjson.dumps({"aud": "routing", "who": {**KARI.model_dump(mode="json"), "expires": int(time.time()) + 3600}})
    ).rstrip(b"=")
    assert refused(f"{payload.decode()}.{identity._mac(KEY.encode(), payload).decode()}")


@pytest.mark.parametrize(
    "claims", [[], {}, {"aud": "routing"}, {"aud": "routing", "who": {}}, {"aud": "routing", "who": None}, 7]
)
def test_claims_of_another_shape_are_refused(claims: object) -> None:
    payload = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
    assert refused(f"{payload.decode()}.{identity._mac(KEY.encode(), payload).decode()}")


@pytest.mark.parametrize("ttl", [0, -1, 61])
def test_nothing_is_signed_for_longer_than_a_minute(ttl: int) -> None:
    with pytest.raises(ValueError):
        sign(KARI, "routing", KEY, ttl)


def test_a_kept_one_expires_too(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = IdentityVerifier(KEY, "routing")
    header = sign(KARI, "routing", KEY, ttl=10)
    assert verifier.verify(header) is verifier.verify(header)
    now = time.time()
    monkeypatch.setattr("shared.http.identity.time.time", lambda: now + 11)
    with pytest.raises(Problem):
        verifier.verify(header)


def test_a_refused_one_stays_refused() -> None:
    verifier = IdentityVerifier(KEY, "routing")
    for header in (None, "", "x.y") * 2:
        with pytest.raises(Problem):
            verifier.verify(header)


def test_only_so_many_are_kept() -> None:
    verifier = IdentityVerifier(KEY, "routing")
    for n in range(600):
        verifier.verify(sign(KARI.model_copy(update={"login": str(n)}), "routing", KEY))
    assert len(verifier._known) == 512
