"""The scene of a local instance. The one of a composed system is in `tests.containers.verdict`."""

from deploy.local import lifecycle
from deploy.local.programs import Instance
from tests.chaos.checks import Scene


def of_instance(instance: Instance) -> Scene:
    postgres, home = instance.postgres, instance.home

    def verify(name: str) -> bool:
        return lifecycle.run_service_command(home, "reporting", ["projections", "verify", name]) == 0

    return Scene(
        lambda name: postgres.url("postgres", postgres.password, name), instance.kafka.admin, home.sent, verify
    )
