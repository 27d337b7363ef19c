"""The statements of an export: every ticket that the caller may see and the filters let through, formatted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.reporting.exports.columns import ExportColumn, Join
from services.reporting.exports.formats import FormatName, expression
from services.reporting.tickets.ticket_list import ORDERS, Arguments, Filters, every_row, ordering
from services.reporting.visibility import Scope
from shared.directory.copy import Configuration, Queues
from shared.rules.states import PRIORITIES

Statement = tuple[str, list[object]]
_PEOPLE: dict[Join, str] = {
    "customers": "customer_id",
    "owners": "owner_id",
    "previous_owners": "previous_owner_id",
    "responsibles": "responsible_id",
    "lockers": "locked_by_id",
}
_EMAIL = "coalesce(customers.email, t.customer_email)"
_PERSON = """
  LEFT JOIN directory.identities {name}_known ON {name}_known.customer_id = t.{column}
  LEFT JOIN LATERAL (SELECT p.document ->> 'name' AS name,
                            CASE WHEN NOT p.retired THEN p.document ->> 'email' END AS email
                       FROM directory.documents p
                      WHERE p.id = coalesce({name}_known.person_id, t.{column}) AND p.kind = 'person') AS {name} ON true
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of today of what is configured, and of mail domains in their own script."""

    queues: Queues
    configuration: Configuration
    domains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Tickets of an export: those that somebody may see and the filters let through, in an order of `ORDERS`."""

    scope: Scope
    filters: Filters
    sort: str


def international_domains(chosen: Chosen) -> Statement:
    """The mail domains of the chosen tickets' customers that are written in another script, as A-labels."""
    arguments = Arguments()
    rows = every_row(arguments, chosen.scope, chosen.filters)
    return (
        f"SELECT DISTINCT split_part({_EMAIL}, '@', -1) AS domain FROM ({rows}) AS t {_person('customers')}"
        f" WHERE strpos({_EMAIL}, 'xn--') > 0 LIMIT 10000",
        arguments.values,
    )


def statement(
    chosen: Chosen,
    columns: Sequence[ExportColumn],
    names: Names,
    format_name: FormatName,
    only: Sequence[UUID] | None = None,
) -> Statement:
    """All rows. With `only`, those of these tickets, in their order. JSON has one column: an object for each row."""
    arguments = Arguments()
    rows = every_row(arguments, chosen.scope, chosen.filters)
    needed: dict[Join, None] = dict.fromkeys(join for column in columns for join in column.joins)
    joins = [_join(arguments, join, names) for join in needed]
    places = {
        "customer_email": _email(arguments, names) if any(c.name == "customer_email" for c in columns) else "",
        "links": "(SELECT array_agg(o.number ORDER BY o.number) FROM jsonb_array_elements(t.links::jsonb) AS l(link)"
        " JOIN desk.tickets o ON o.id = (l.link ->> 'id')::uuid WHERE {visible})",
        "merged_into": "(SELECT o.number FROM desk.tickets o WHERE o.id = t.merged_into_id AND {visible})",
    }
    if any(column.name in ("links", "merged_into") for column in columns):
        visible = _visible(arguments, chosen.scope)
        places = {name: text.replace("{visible}", visible) for name, text in places.items()}
    values = [_filled(arguments, expression(column, format_name), places, column) for column in columns]
    if format_name == "json":
        named = zip(columns, values, strict=True)
        pairs = [f"{arguments.add(column.name, 'text')}, {value}" for column, value in named]
        values = [f"json_build_object({', '.join(pairs)})"]
    order = ordering(ORDERS[chosen.sort])
    if only is not None:
        asked = arguments.add(list(only), "uuid[]")
        joins.append(f"JOIN unnest({asked}) WITH ORDINALITY AS asked(id, place) ON asked.id = t.id")
        order = "asked.place"
    return f"SELECT {', '.join(values)} FROM ({rows}) AS t {' '.join(joins)} ORDER BY {order}", arguments.values


def _filled(arguments: Arguments, text: str, places: Mapping[str, str], column: ExportColumn) -> str:
    if column.field is not None:
        return text.replace("{field}", arguments.add(column.field, "text"))
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _join(arguments: Arguments, join: Join, names: Names) -> str:
    match join:
        case "queues":
            known = names.queues.by_id.values()
            values = (
                arguments.add([queue.id for queue in known], "uuid[]"),
                arguments.add([queue.slug for queue in known], "text[]"),
                arguments.add([queue.name for queue in known], "text[]"),
            )
            return f"LEFT JOIN unnest({', '.join(values)}) AS queues(id, slug, name) ON queues.id = t.queue_id"
        case "states":
            states = names.configuration.all_states
            slugs = arguments.add(list(states), "text[]")
            shown = arguments.add([state.name for state in states.values()], "text[]")
            return f"LEFT JOIN unnest({slugs}, {shown}) AS states(slug, name) ON states.slug = t.state_slug"
        case "priorities":
            priorities = {
                **PRIORITIES,
                **{int(n): each.name for n, each in names.configuration.priorities.items() if n.isdecimal()},
            }
            numbers = arguments.add(list(priorities), "smallint[]")
            shown = arguments.add(list(priorities.values()), "text[]")
            return f"LEFT JOIN unnest({numbers}, {shown}) AS priorities(number, name) ON priorities.number = t.priority"
        case _:
            return _person(join)


def _person(join: Join) -> str:
    return _PERSON.format(name=join, column=_PEOPLE[join])


def _email(arguments: Arguments, names: Names) -> str:
    """The customer's address, with its domain in its own script."""
    if not names.domains:
        return _EMAIL
    written = arguments.add(list(names.domains), "text[]")
    shown = arguments.add(list(names.domains.values()), "text[]")
    return (
        f"CASE WHEN strpos({_EMAIL}, 'xn--') = 0 THEN {_EMAIL} ELSE coalesce((SELECT left({_EMAIL},"
        f" -length(d.written)) || d.shown FROM unnest({written}, {shown}) AS d(written, shown)"
        f" WHERE d.written = split_part({_EMAIL}, '@', -1)), {_EMAIL}) END"
    )


def _visible(arguments: Arguments, scope: Scope) -> str:
    """Whether the ticket `o` may be seen: `TicketReader.may_see` in SQL."""
    if scope.everything:
        return "true"
    either = [
        f"o.queue_id = ANY({arguments.add(list(scope.queues), 'uuid[]')})",
        f"o.customer_id = ANY({arguments.add(list(scope.customers), 'uuid[]')})",
    ]
    if scope.company is not None:
        either.append(f"o.company = {arguments.add(scope.company, 'text')}")
    return f"(o.state_type <> 'removed' AND ({' OR '.join(either)}))"
