"""The signed identity between gateway and services: only an identity that was signed for this service is accepted, for
a minute.
"""

import base64
import time
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http import identity
from shared.http.identity import IdentityVerifier, sign, verify
from shared.http.keys import Keys, PublicKeys, SigningKey, gateways_keys, public_keys
from shared.http.problems import Problem
from shared.rules.access import Identity
from shared.settings import SettingMissing
from shared.testing.keys import ENVIRONMENT, KEYS, SIGNING

OTHER = SigningKey.made()
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


def refused(header: str | None, audience: str = "routing", keys: PublicKeys = KEYS.gateway) -> bool:
    with pytest.raises(Problem) as caught:
        verify(header, audience, keys)
    return caught.value.status == 401


def signed(payload: bytes) -> str:
    """Any payload with a valid signature."""
    signature = base64.urlsafe_b64encode(SIGNING.sign(b"ledgerdesk identity\x00" + payload)).rstrip(b"=")
    return f"{payload.decode()}.{signature.decode()}"


@given(IDENTITIES)
def test_a_signed_identity_is_read_unchanged(who: Identity) -> None:
    read = verify(sign(who, "routing", SIGNING), "routing", KEYS.gateway)
    assert read.model_copy(update={"expires": who.expires}) == who
    assert 0 < read.expires - time.time() <= identity.LIFETIME


@given(st.data())
def test_a_changed_character_is_refused(data: st.DataObject) -> None:
    header = sign(KARI, "routing", SIGNING)
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
    assert refused(sign(KARI, "intake", SIGNING))


def test_one_with_another_key_is_refused() -> None:
    assert refused(sign(KARI, "routing", OTHER))


def test_the_keys_of_a_service_cannot_sign_an_identity() -> None:
    """A service knows the public key and its own secret only; neither can sign an identity."""
    for key in (KEYS.gateway.keys[0].public_bytes_raw(), KEYS.purpose("cursors")):
        assert refused(sign(KARI, "routing", SigningKey(base64.urlsafe_b64encode(key).decode())))


def test_while_keys_change_both_are_accepted_and_afterwards_the_old_one_is_not() -> None:
    old, new = sign(KARI, "routing", SIGNING), sign(KARI, "routing", OTHER)
    both = PublicKeys.parsed(f"{OTHER.public}, {SIGNING.public}\n")
    assert verify(old, "routing", both).login == verify(new, "routing", both).login == "kari"
    assert refused(old, keys=PublicKeys.parsed(OTHER.public))


@pytest.mark.parametrize(
    "text",
    ["", "  ", "x", "not*base64", SIGNING.public[:-4], f"{SIGNING.public} x"],
    ids=["empty", "blank", "short", "letters", "cut", "two-words"],
)
def test_an_invalid_key_is_a_missing_setting(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert Keys.read().own == KEYS.own
    monkeypatch.setenv("LEDGERDESK_IDENTITY_PUBLIC_KEYS", text)
    with pytest.raises(SettingMissing, match="LEDGERDESK_IDENTITY_PUBLIC_KEYS"):
        Keys.read()


def test_the_first_of_the_gateways_keys_signs_and_the_services_know_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEDGERDESK_IDENTITY_SIGNING_KEY", f"{OTHER.text}\n{SIGNING.text}\n")
    signing, keys = gateways_keys()
    assert signing.text == OTHER.text
    services = PublicKeys.parsed(public_keys(f"{OTHER.text}\n{SIGNING.text}"))
    for known in (keys.gateway, services):
        assert verify(sign(KARI, "routing", signing), "routing", known).login == "kari"
        assert verify(sign(KARI, "routing", SIGNING), "routing", known).login == "kari"


def test_an_expired_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    header = sign(KARI, "routing", SIGNING, ttl=10)
    now = time.time()
    monkeypatch.setattr("shared.http.identity.time.time", lambda: now + 11)
    assert refused(header)


def test_one_that_would_live_too_long_is_refused_even_with_the_key() -> None:
    payload = base64.urlsafe_b64encode(
        orjson.dumps({"aud": "routing", "who": {**KARI.model_dump(mode="json"), "expires": int(time.time()) + 3600}})
    ).rstrip(b"=")
    assert refused(signed(payload))


@pytest.mark.parametrize(
    "claims", [[], {}, {"aud": "routing"}, {"aud": "routing", "who": {}}, {"aud": "routing", "who": None}, 7]
)
def test_claims_of_another_shape_are_refused(claims: object) -> None:
    payload = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
    assert refused(signed(payload))


@pytest.mark.parametrize("ttl", [0, -1, 61])
def test_nothing_is_signed_for_longer_than_a_minute(ttl: int) -> None:
    with pytest.raises(ValueError):
        sign(KARI, "routing", SIGNING, ttl)


def test_a_cached_identity_expires_too(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = IdentityVerifier(KEYS.gateway, "routing")
    header = sign(KARI, "routing", SIGNING, ttl=10)
    assert verifier.verify(header) is verifier.verify(header)
    now = time.time()
    monkeypatch.setattr("shared.http.identity.time.time", lambda: now + 11)
    with pytest.raises(Problem):
        verifier.verify(header)


def test_a_refused_one_stays_refused() -> None:
    verifier = IdentityVerifier(KEYS.gateway, "routing")
    for header in (None, "", "x.y") * 2:
        with pytest.raises(Problem):
            verifier.verify(header)


def test_the_cache_of_identities_is_bounded() -> None:
    verifier = IdentityVerifier(KEYS.gateway, "routing")
    for n in range(2200):
        verifier.verify(sign(KARI.model_copy(update={"login": str(n)}), "routing", SIGNING))
    assert len(verifier._known) == 2048
