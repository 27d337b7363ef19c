"""The keys of tests and benches: a gateway's pair, and the secret of a service."""

from shared.http.keys import PUBLIC_KEYS, SERVICE_KEY, SIGNING_KEY, Keys, PublicKeys, SigningKey

SIGNING = SigningKey.made()
"""What tests sign identities with, as a gateway does."""
SECRET = "the own secret of a service under test"  # pragma: allowlist secret
KEYS = Keys(PublicKeys.parsed(SIGNING.public), SECRET.encode())
"""What an application under test checks them with."""
ENVIRONMENT = {SIGNING_KEY: SIGNING.text, PUBLIC_KEYS: SIGNING.public, SERVICE_KEY: SECRET}
"""The same for a process; a service other than the gateway does not look at the first."""
