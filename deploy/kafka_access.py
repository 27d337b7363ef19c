"""Who may use Kafka: settings for the embedded set-up, the containers and the tests."""

from shared.messaging.access.account import ADMIN


def access(password: str) -> dict[str, str]:
    """Settings with which everybody needs a password, and services may do only what they were granted.

    Decision 0075. The user of the set-up and of the broker is part of the settings: a new broker, or one from before
    there were users, knows no others. Users of SCRAM are stored in the cluster, which a controller cannot read before
    it starts.
    """
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{ADMIN}" password="{password}"'
    login += f' user_{ADMIN}="{password}";'
    return {
        "listener.security.protocol.map": "INSIDE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.inside.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.inside.plain.sasl.jaas.config": login,
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": login,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN}",
    }


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """The settings as environment variables, for Kafka's official image."""
    return {f"KAFKA_{name.replace('-', '___').replace('.', '_').upper()}": value for name, value in settings.items()}
