"""The keys of tests and benchmarks: a gateway's key pair, and a service's secret."""

from shared.http.keys import PUBLIC_KEYS, SERVICE_KEY, SIGNING_KEY, Keys, PublicKeys, SigningKey

SIGNING = SigningKey.made()
"""Signs identities, as a gateway does."""
SECRET = "the own secret of a service under test"  # pragma: allowlist secret
KEYS = Keys(PublicKeys.parsed(SIGNING.public), SECRET.encode())
"""Verifies them, in an application under test."""
ENVIRONMENT = {SIGNING_KEY: SIGNING.text, PUBLIC_KEYS: SIGNING.public, SERVICE_KEY: SECRET}
"""The same for a process. Only the gateway uses the signing key."""
