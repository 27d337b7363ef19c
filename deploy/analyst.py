"""Tells how analysts connect to the database. docs/analysts.md describes what they find there."""

from urllib.parse import unquote, urlsplit


def how_to_connect(url: str, where: str, psql: str = "psql") -> str:
    """The text for an administrator, who passes it on.

    `url` has the password of the analysts' role and no other. `where`: from where the database can be reached. `psql`:
    the program.
    """
    parts = urlsplit(url)
    user, password, database = parts.username or "", unquote(parts.password or ""), parts.path.lstrip("/")
    return f"""\
Analysts read the views of the schema analytics (docs/analysts.md). {where}
The password is the analysts' own: it opens nothing else.

  URL       {url}
  psql      {psql} '{url}'
  DuckDB    INSTALL postgres; LOAD postgres; ATTACH '{url}' AS desk (TYPE postgres, READ_ONLY, SCHEMA 'analytics');
  pandas    pandas.read_sql("SELECT * FROM tickets_v1", sqlalchemy.create_engine("{_with_driver(url)}"))
  Metabase  type PostgreSQL, host {parts.hostname}, port {parts.port}, database {database}, user {user},
            password {password}, schemas: only analytics
"""


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
