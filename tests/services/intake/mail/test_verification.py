"""Senders are verified here: real signatures, a real DNS server on loopback, and everything that a hostile mail or DNS
may try."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import dkim
import nacl.signing
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.mail.verification import spf
from services.intake.mail.verification.authentication_results import Authentication
from services.intake.mail.verification.dns import DnsQueries, resolver
from services.intake.mail.verification.sender_check import SenderEvidence, check_sender
from services.intake.mail.verification.verifier import SILENCES, Verifier
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.records.mails import Mail
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.testing.progress import until
from tests.services.intake.mail.name_server import NameServer, name_server
from tests.services.intake.reception import mail
from tests.specs.requirement import requirement

ACME, CLIENT = "acme.example", "203.0.113.7"
PER = (f"per@{ACME}",)
NO_KEYS = SenderEvidence(PER, f"per@{ACME}", CLIENT, "mx.acme.example")


@dataclass(frozen=True, slots=True)
class Signer:
    """A signer with a key in the DNS."""

    domain: str
    private: bytes
    record: str

    def sign(self, raw: bytes, *, fields: tuple[bytes, ...] = (b"from", b"subject", b"to"), **more: Any) -> bytes:
        made: bytes = dkim.sign(raw, b"k1", self.domain.encode(), self.private, include_headers=list(fields), **more)
        return made + raw

    def publish(self, names: NameServer) -> None:
        names.txt(f"k1._domainkey.{self.domain}", self.record)


def _signer(domain: str, bits: int = 2048, exponent: int = 65_537) -> Signer:
    key = rsa.generate_private_key(exponent, bits)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Signer(domain, private, f"v=DKIM1; k=rsa; p={public.decode()}")


@pytest.fixture(scope="module")
def acme() -> Signer:
    return _signer(ACME)


@pytest.fixture(scope="module")
def mallory() -> Signer:
    return _signer("mallory.example")


@pytest.fixture
def names(acme: Signer, mallory: Signer) -> Iterator[NameServer]:
    with name_server() as server:
        acme.publish(server)
        mallory.publish(server)
        yield server


def verdict(
    names: NameServer, raw: bytes, asked: SenderEvidence | None = None, *, sealers: tuple[str, ...] = (), **bounds: Any
) -> Authentication:
    return check_sender(raw, asked or SenderEvidence(PER), DnsQueries(resolver([names.address]), **bounds), sealers)


def letter(**fields: str) -> bytes:
    return mail(From=f"Per <{PER[0]}>", **fields)


def test_a_signature_of_the_domain_in_from_proves_it(names: NameServer, acme: Signer) -> None:
    found = verdict(names, acme.sign(letter()))
    assert found == Authentication(
        "proven", ("dkim=pass header.d=acme.example header.s=k1 (verified here)", "dmarc=none header.from=acme.example (verified here)")
    )  # fmt: skip


def test_a_short_signature_is_a_signature_too(names: NameServer) -> None:
    key = nacl.signing.SigningKey.generate()
    public = base64.b64encode(bytes(key.verify_key)).decode()
    names.txt("k1._domainkey.short.example", f"v=DKIM1; k=ed25519; p={public}")
    raw = mail(From="per@short.example")
    made = dkim.sign(
        raw, b"k1", b"short.example", base64.b64encode(bytes(key)), signature_algorithm=b"ed25519-sha256",
        include_headers=[b"from", b"subject"],
    )  # fmt: skip
    assert verdict(names, made + raw, SenderEvidence(("per@short.example",))).sender == "proven"


def test_a_mail_that_was_changed_is_not_proven(names: NameServer, acme: Signer) -> None:
    signed = acme.sign(letter())
    for old, new in ((b"hums", b"sings"), (b"Since", b"Until"), (b"Per <per@", b"Per <boss@")):
        assert old in signed
        found = verdict(names, signed.replace(old, new))
        assert found.sender == "unknown"
        assert found.results[0].startswith(("dkim=fail", "dkim=permerror"))


def test_somebody_elses_signature_proves_nothing(names: NameServer, mallory: Signer) -> None:
    names.txt(f"_dmarc.{ACME}", "v=DMARC1; p=reject")
    raw = mallory.sign(letter())
    assert verdict(names, raw).sender == "unknown"  # the client may have been the right one, for all that is known
    names.txt(ACME, "v=spf1 ip4:192.0.2.1 -all")
    found = verdict(names, raw, NO_KEYS)
    assert found.sender == "disproven"
    assert found.results[0].startswith("dkim=pass header.d=mallory.example")
    assert found.results[-1] == "dmarc=fail header.from=acme.example (verified here)"


@pytest.mark.parametrize(
    ("record", "policy", "expected"),
    [
        (f"v=spf1 ip4:{CLIENT} -all", "v=DMARC1; p=none", "proven"),
        (f"v=spf1 ip4:{CLIENT} -all", "", "unknown"),
        ("v=spf1 -all", "v=DMARC1; p=none", "disproven"),
        ("v=spf1 ?all", "v=DMARC1; p=none", "disproven"),
        ("", "v=DMARC1; p=none", "disproven"),
        ("", "", "unknown"),
        (f"v=spf1 ip4:{CLIENT} -all", "v=DMARC2; p=none", "unknown"),
    ],
)
def test_a_client_that_may_send_for_the_domain_is_proof_with_a_policy(
    names: NameServer, record: str, policy: str, expected: str
) -> None:
    if record:
        names.txt(ACME, record)
    if policy:
        names.txt(f"_dmarc.{ACME}", policy)
    assert verdict(names, letter(), NO_KEYS).sender == expected


def test_private_addresses_are_not_checked_with_spf(names: NameServer) -> None:
    names.txt(f"_dmarc.{ACME}", "v=DMARC1; p=reject")
    names.txt(ACME, "v=spf1 -all")
    for client in ("127.0.0.1", "10.1.2.3", "::1", "::ffff:192.168.1.1", "nonsense", ""):
        assert verdict(names, letter(), replace(NO_KEYS, client=client)).sender == "unknown"


@pytest.mark.parametrize(
    ("signer", "about", "policy", "expected"),
    [
        ("mail.acme.example", "acme.example", "v=DMARC1", "proven"),
        ("acme.example", "dept.acme.example", "v=DMARC1", "proven"),
        ("one.acme.example", "two.acme.example", "v=DMARC1", "proven"),
        ("mail.acme.example", "acme.example", "v=DMARC1; adkim=s", "unknown"),
        ("acme.example", "two.acme.example", "v=DMARC1; adkim=s", "unknown"),
        ("acme.example.evil.example", "acme.example", "v=DMARC1", "unknown"),
        ("example", "acme.example", "v=DMARC1", "unknown"),
    ],
)
def test_relatives_of_the_domain_are_aligned_as_its_policy_says(
    names: NameServer, acme: Signer, signer: str, about: str, policy: str, expected: str
) -> None:
    other = replace(acme, domain=signer)
    if signer != ACME:
        other.publish(names)
    names.txt(f"_dmarc.{ACME}", policy)
    raw = other.sign(mail(From=f"per@{about}"))
    assert verdict(names, raw, SenderEvidence((f"per@{about}",))).sender == expected


def test_two_customers_of_a_public_suffix_are_not_aligned(names: NameServer, acme: Signer) -> None:
    """The parent domain says where organisations begin."""
    names.txt("_dmarc.cloud.example", "v=DMARC1; p=none; psd=y")
    other = replace(acme, domain="mallory.cloud.example")
    other.publish(names)
    raw = other.sign(mail(From="per@acme.cloud.example"))
    assert verdict(names, raw, SenderEvidence(("per@acme.cloud.example",))).sender == "unknown"


def test_a_mail_with_two_senders_is_ambiguous(names: NameServer, acme: Signer) -> None:
    raw = acme.sign(mail(From=f"per@{ACME}, boss@bank.example"))
    assert verdict(names, raw, SenderEvidence((f"per@{ACME}", "boss@bank.example"))).sender == "ambiguous"


def test_a_second_from_beside_the_signed_one_breaks_it(names: NameServer, acme: Signer) -> None:
    raw = b"From: boss@bank.example\r\n" + acme.sign(letter())
    assert verdict(names, raw).sender == "unknown"


def test_a_signature_of_a_part_of_the_text_proves_nothing(names: NameServer, acme: Signer) -> None:
    signed = acme.sign(letter(), length=True)
    assert b"l=" in signed
    found = verdict(names, signed + b"and pay to this account\r\n")
    assert (found.sender, found.results[0].split()[0]) == ("unknown", "dkim=policy")


@pytest.mark.parametrize("flag", ["y", "Y", "s:y"])
def test_a_key_for_tests_proves_nothing(names: NameServer, acme: Signer, flag: str) -> None:
    other = replace(acme, domain="test.example", record=acme.record.replace("k=rsa", f"k=rsa; t={flag}"))
    other.publish(names)
    raw = other.sign(mail(From="per@test.example"))
    assert verdict(names, raw, SenderEvidence(("per@test.example",))).sender == "unknown"


def test_keys_that_are_short_revoked_double_or_huge_are_not_used(names: NameServer, acme: Signer) -> None:
    monster = base64.b64encode(
        rsa.RSAPublicNumbers((1 << 2_040) + 1, (1 << 2_048) + 1)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    signed = acme.sign(letter())
    for record in (
        "v=DKIM1; p=",
        f"v=DKIM1; p={monster}",
        "v=DKIM1; p=%%%",
        "v=DKIM1",
        f"{acme.record}; n={'x' * 3_000}",
    ):
        names.records[f"k1._domainkey.{ACME}", "TXT"] = []
        names.txt(f"k1._domainkey.{ACME}", record)
        assert verdict(names, signed).results[0].startswith("dkim=permerror"), record
    names.txt(f"k1._domainkey.{ACME}", acme.record)
    assert "more than one key" in verdict(names, signed).results[0]
    short = _signer("weak.example", bits=1024)
    short = replace(short, record=short.record)
    short.publish(names)
    assert (
        verdict(names, short.sign(mail(From="a@weak.example")), SenderEvidence(("a@weak.example",))).sender == "proven"
    )


def test_many_signatures_do_not_hide_the_right_one(names: NameServer, acme: Signer, mallory: Signer) -> None:
    raw = acme.sign(letter())
    for _ in range(30):
        raw = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA\r\n" + raw
    assert verdict(names, mallory.sign(raw)).sender == "proven"
    assert len([each for each in names.asked if "x.example" in each[0]]) <= 5


def _sealed(raw: bytes, sealer: Signer, found: str) -> bytes:
    """The mail as a forwarder sends it: with its results, its seal, and another subject."""
    field = f"Authentication-Results: {sealer.domain}; {found}\r\n".encode()
    changed = field + raw.replace(b"Subject: ", b"Subject: [list] ")
    lines = dkim.arc_sign(changed, b"k1", sealer.domain.encode(), sealer.private, sealer.domain.encode(),
                          include_headers=[b"from", b"subject", b"to"])  # fmt: skip
    return b"".join(lines) + changed


def test_a_list_that_is_trusted_passes_proof_on(names: NameServer, acme: Signer, mallory: Signer) -> None:
    names.txt(f"_dmarc.{ACME}", "v=DMARC1; p=reject")
    names.txt(ACME, "v=spf1 -all")
    raw = _sealed(acme.sign(letter()), mallory, f"dmarc=pass header.from={ACME}")
    assert verdict(names, raw, NO_KEYS).sender == "disproven"
    assert verdict(names, raw, NO_KEYS, sealers=("mallory.example",)).sender == "proven"
    assert (
        verdict(names, raw.replace(b"[list]", b"[LIST]"), NO_KEYS, sealers=("mallory.example",)).sender == "disproven"
    )
    lied = _sealed(acme.sign(letter()), mallory, f"dmarc=fail header.from={ACME}")
    assert verdict(names, lied, NO_KEYS, sealers=("mallory.example",)).sender == "disproven"


def test_without_an_answer_of_the_dns_nothing_is_proven_or_disproven(names: NameServer, acme: Signer) -> None:
    names.txt(f"_dmarc.{ACME}", "v=DMARC1; p=reject")
    names.txt(ACME, "v=spf1 include:broken.example -all")
    for broken in (f"k1._domainkey.{ACME}", f"_dmarc.{ACME}", "broken.example"):
        names.broken = {broken, "broken.example"}
        found = verdict(names, acme.sign(letter()) if "domainkey" in broken else letter(), NO_KEYS)
        assert found.sender == "unknown"
        assert found.results[-1].startswith("dmarc=temperror")


def test_the_number_of_dns_queries_is_bounded(names: NameServer) -> None:
    names.txt(ACME, "v=spf1 " + " ".join(f"include:{n}.acme.example" for n in range(10)) + " -all")
    for n in range(10):
        names.txt(f"{n}.acme.example", "v=spf1 " + " ".join(f"include:{m}.{n}.acme.example" for m in range(10)))
    found = verdict(names, letter(), NO_KEYS)
    assert found.results[0].startswith("spf=permerror")
    assert len(names.asked) < 40
    names.asked.clear()
    verdict(names, letter(), NO_KEYS, most=2)
    assert len(names.asked) <= 2


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 a -all", "pass"),
        ("v=spf1 a/24 -all", "pass"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 a:other.example ~all", "softfail"),
        ("v=spf1 include:yes.example -all", "pass"),
        ("v=spf1 include:no.example ?all", "neutral"),
        ("v=spf1 redirect=yes.example", "pass"),
        ("v=spf1 redirect=nothing.example", "permerror"),
        ("v=spf1 exists:%{ir}.%{v}.list.example -all", "pass"),
        ("v=spf1 exists:%{l1r-}.%{d2}.who.example -all", "pass"),
        ("v=spf1 exists:%{x}.example -all", "permerror"),
        ("v=spf1 ptr -all", "fail"),
        ("v=spf1 ip4:203.0.113.0/24 -all", "pass"),
        ("v=spf1 ip4:nonsense -all", "permerror"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1 unknown:thing -all", "permerror"),
        ("v=spf1 exp=why.acme.example -all", "fail"),
        ("v=spf1 a:void1.example a:void2.example a:void3.example -all", "permerror"),
        ("v=spf10 +all", "none"),
        ("v=spf1", "neutral"),
    ],
)
def test_records_of_spf(names: NameServer, record: str, expected: str) -> None:
    names.txt(ACME, record)
    names.put(ACME, "A", CLIENT)
    names.put(ACME, "MX", "10 mx.acme.example.")
    names.put("mx.acme.example", "A", "192.0.2.1", CLIENT)
    names.put("other.example", "A", "192.0.2.1")
    names.txt("yes.example", f"v=spf1 ip4:{CLIENT} -all")
    names.txt("no.example", "v=spf1 -all")
    names.put("7.113.0.203.in-addr.list.example", "A", "127.0.0.2")
    names.put("per.acme.example.who.example", "A", "127.0.0.2")
    client = ip_address(CLIENT)
    found, domain = spf.check(DnsQueries(resolver([names.address])), client, f"per@{ACME}", "helo.example")
    assert (found, domain) == (expected, ACME)


def test_the_null_sender_is_the_clients_own_name(names: NameServer) -> None:
    names.txt("mx.acme.example", f"v=spf1 ip4:{CLIENT} -all")
    queries = DnsQueries(resolver([names.address]))
    client = ip_address(CLIENT)
    assert spf.check(queries, client, "", "mx.acme.example") == ("pass", "mx.acme.example")
    assert spf.check(queries, client, "", "localhost")[0] == "none"


PIECES = (
    b"DKIM-Signature: ", b"v=1; a=rsa-sha256; d=acme.example; s=k1; h=from; bh=AAAA; b=AAAA", b"ARC-Seal: i=1; cv=none; ",
    b"ARC-Message-Signature: i=1; ", b"ARC-Authentication-Results: i=1; x", b"From: per@acme.example", b" folded", b"\x00", b"\xff:",
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"c=relaxed/simple; l=99999999999999999999;", b"i=99; i=1; i=x; t=9; x=1;", b"::", b"=;", b"\t",
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_and_any_names_are_judged(raw: bytes, name: str) -> None:
    asked = SenderEvidence((f"per@{name}",), f"a@{name}", CLIENT, name)
    assert check_sender(raw, asked, DnsQueries(resolver(["127.0.0.1:1"]), most=0), ()).sender == "unknown"


@given(st.text(alphabet="%{}sdiolvr0123456789+-~?:/.=aemx ", max_size=80))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_spf_record_is_evaluated_to_an_end(names: NameServer, record: str) -> None:
    names.records[ACME, "TXT"] = [f'"v=spf1 {record}"']
    spf.check(DnsQueries(resolver([names.address])), ip_address(CLIENT), f"per@{ACME}", "helo.example")


@pytest.fixture
async def verifier(names: NameServer) -> AsyncIterator[Verifier]:
    made = Verifier([names.address])
    yield made
    await made.close()


async def test_workers_answer_and_remember_what_the_dns_told(
    verifier: Verifier, names: NameServer, acme: Signer
) -> None:
    for _ in range(3):
        assert (await verifier.verify(acme.sign(letter()), SenderEvidence(PER))).sender == "proven"
    assert names.asked.count((f"k1._domainkey.{ACME}", "TXT")) == 1


async def test_a_silent_dns_is_not_queried_for_a_while(names: NameServer, acme: Signer) -> None:
    """The first mails wait for the DNS; then none does until the pause is over."""
    now = 0.0
    verifier = Verifier([names.address], clock=lambda: now)
    names.all_silent = True
    try:
        for _ in range(SILENCES):
            found = await verifier.verify(acme.sign(letter()), SenderEvidence(PER))
            assert found.sender == "unknown"
        names.asked.clear()
        found = await verifier.verify(acme.sign(letter()), SenderEvidence(PER))
        assert (found.results, names.asked) == (("not verified: the DNS does not answer",), [])
        names.all_silent, now = False, 31.0
        assert (await verifier.verify(acme.sign(letter()), SenderEvidence(PER))).sender == "proven"
    finally:
        await verifier.close()


async def test_one_silent_domain_does_not_stop_the_verification_of_others(
    verifier: Verifier, names: NameServer, acme: Signer, mallory: Signer
) -> None:
    names.silent = {"k1._domainkey.mallory.example"}
    raw = mallory.sign(mail(From="m@mallory.example"))
    for _ in range(SILENCES):
        assert (await verifier.verify(raw, SenderEvidence(("m@mallory.example",)))).sender == "unknown"
    assert (await verifier.verify(acme.sign(letter()), SenderEvidence(PER))).sender == "proven"


async def test_a_mail_that_makes_the_library_slow_ends_only_its_own_worker(names: NameServer, acme: Signer) -> None:
    """On a line of a million spaces, dkimpy's regular expression for line ends takes half a day."""
    verifier = Verifier([names.address], processor_seconds=0.5)
    try:
        signed = acme.sign(letter(), canonicalize=(b"relaxed", b"relaxed")) + b" " * 1_000_000 + b"x\r\n"
        found = await verifier.verify(signed, SenderEvidence(PER))
        assert found == Authentication("unknown", ("not verified: it took too long",))
        assert (await verifier.verify(acme.sign(letter()), SenderEvidence(PER))).sender == "proven"
    finally:
        await verifier.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_mail_is_taken_though_its_worker_had_died_or_hangs_and_the_next_is_verified(
    mailroom: Mailroom, names: NameServer, acme: Signer, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is idle when it dies. One that hangs uses no processor time, so only the wall clock ends it."""
    verifier = Verifier([names.address], seconds=60.0)
    desk = replace(mailroom, verifier=verifier)
    envelope = Envelope(PER[0], ("it@help.example",), client=CLIENT)
    try:
        assert _first(await desk.take(acme.sign(letter()), envelope)) == PROVEN
        (worker,) = verifier._all
        worker.send_signal(how)
        with monkeypatch.context() as impatient:
            impatient.setattr(verifier, "_seconds", 0.5)
            unlucky = await desk.take(acme.sign(letter()), envelope)
        assert (unlucky.outcome, _first(unlucky)) == ("created", "not verified: it took too long")
        assert await worker.wait() == -signal.SIGKILL
        assert _first(await desk.take(acme.sign(letter()), envelope)) == PROVEN
        assert worker not in verifier._all
    finally:
        await verifier.close()


async def test_a_mail_is_taken_though_its_worker_dies_over_it(
    mailroom: Mailroom, names: NameServer, acme: Signer
) -> None:
    verifier = Verifier([names.address], seconds=60.0)
    desk = replace(mailroom, verifier=verifier)
    envelope = Envelope(PER[0], ("it@help.example",), client=CLIENT)
    names.all_silent = True
    try:
        taking = asyncio.create_task(desk.take(acme.sign(letter()), envelope))

        async def at_work() -> bool:
            return bool(names.asked)

        await until(at_work)
        (worker,) = verifier._all
        worker.kill()
        unlucky = await taking
        assert (unlucky.outcome, _first(unlucky)) == ("created", "not verified: it took too long")
        names.all_silent = False
        assert _first(await desk.take(acme.sign(letter()), envelope)) == PROVEN
    finally:
        await verifier.close()


async def test_a_mail_is_taken_though_no_worker_can_be_started(
    mailroom: Mailroom, names: NameServer, acme: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = Verifier([names.address])
    desk = replace(mailroom, verifier=verifier)
    envelope = Envelope(PER[0], ("it@help.example",), client=CLIENT)
    await mailroom.take(letter(), envelope)  # what reads mails is a process too
    try:
        with monkeypatch.context() as without:
            without.setattr("sys.executable", "/nowhere/python")
            unlucky = await desk.take(acme.sign(letter()), envelope)
        assert (unlucky.outcome, _first(unlucky)) == ("created", "not verified: no worker could be started")
        assert _first(await desk.take(acme.sign(letter()), envelope)) == PROVEN
    finally:
        await verifier.close()


PROVEN = "dkim=pass header.d=acme.example header.s=k1 (verified here)"


def _first(mail: Mail) -> str:
    """The first result about a mail's sender."""
    return str(mail.found["authentication"][0])


@requirement("A1.20")
async def test_mails_are_judged_by_what_was_found_here(
    mailroom: Mailroom, verifier: Verifier, names: NameServer, acme: Signer
) -> None:
    names.txt(f"_dmarc.{ACME}", "v=DMARC1; p=reject")
    names.txt(ACME, "v=spf1 -all")
    desk = replace(mailroom, verifier=verifier)
    envelope = Envelope(PER[0], ("it@help.example",), client=CLIENT, helo="mx.acme.example")
    first = await desk.take(acme.sign(letter(Cc="Eve <eve@elsewhere.example>")), envelope)
    (opened,) = [each.payload for each in await desk.records.store.load(first.ticket_id or first.id)]
    assert isinstance(opened, TicketOpened)
    assert opened.receipt
    assert first.found["authentication"][0].startswith("dkim=pass header.d=acme.example")
    assert [row["email"] for row in await desk.records.pool.fetch("SELECT email FROM intake.participants")] == [
        "eve@elsewhere.example"
    ]
    forged = await desk.take(letter(subject=f"Re: [Ticket#{first.number}] hums"), envelope)
    assert (forged.outcome, forged.ticket_id) == ("appended", first.ticket_id)
    last = (await desk.records.store.load(first.ticket_id or first.id))[-1].payload
    assert isinstance(last, CustomerMessageReceived)
    assert last.standing == "unverified"


async def test_what_a_trusted_server_found_is_not_looked_for_again(
    mailroom: Mailroom, verifier: Verifier, names: NameServer
) -> None:
    rules = replace(mailroom.rules, trusted_servers=frozenset(("mx.help.example",)))
    desk = replace(mailroom, verifier=verifier, rules=rules)
    judged = letter(Authentication_Results="mx.help.example; dmarc=pass header.from=acme.example")
    taken = await desk.take(judged, Envelope(PER[0], ("it@help.example",), client=CLIENT))
    assert taken.found["authentication"] == ["dmarc=pass header.from=acme.example (mx.help.example)"]
    assert names.asked == []


async def test_mail_is_taken_when_the_dns_hangs(
    mailroom: Mailroom, verifier: Verifier, names: NameServer, acme: Signer
) -> None:
    names.all_silent = True
    taken = await replace(mailroom, verifier=verifier).take(
        acme.sign(letter()), Envelope(PER[0], ("it@help.example",), client=CLIENT)
    )
    assert taken.outcome == "created"
    assert any("temperror" in each for each in taken.found["authentication"])
