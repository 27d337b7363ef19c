"""How analysts connect to the database of this instance."""

from deploy.analyst import how_to_connect
from deploy.local.home import Home, Trouble
from deploy.local.postgres import psql
from deploy.local.programs import Instance
from deploy.local.supervision import Supervisor


def analyst(home: Home) -> str:
    """The text to print. Raises Trouble."""
    if not Supervisor(home).alive():
        raise Trouble("Ledgerdesk does not run: run `make up` first")
    instance = Instance(home, home.ports(running=True))
    return how_to_connect(instance.analyst_url, "It answers on this machine only.", psql())
