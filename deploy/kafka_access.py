"""How Kafka is closed to strangers; what the embedded set-up, the containers and the tests have in common."""

from shared.messaging.access.account import ADMIN


def access(password: str) -> dict[str, str]:
    """The settings by which nobody gets in without a password, and a service may do what it was granted (docs/decisions/0075).

    The set-up and the broker itself have a user that stands here: a broker that has just been started, or was made before there were
    users, knows no others. SCRAM's are kept in the cluster, so that a controller, which starts before it, cannot have them.
    """
    ours = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{ADMIN}" password="{password}"'
    ours += f' user_{ADMIN}="{password}";'
    return {
        "listener.security.protocol.map": "INSIDE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.inside.scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "listener.name.inside.plain.sasl.jaas.config": ours,
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": ours,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN}",
    }


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """The same for Kafka's official image, which takes its settings as variables."""
    return {f"KAFKA_{name.replace('-', '___').replace('.', '_').upper()}": value for name, value in settings.items()}
