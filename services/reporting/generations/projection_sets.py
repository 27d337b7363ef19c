"""The projection sets of reporting."""

from pathlib import Path
from zoneinfo import ZoneInfo

from services.reporting.analytics import views
from services.reporting.feed.desk_handler import DeskHandler
from services.reporting.feed.late_events import record_promotion
from services.reporting.reports.projection import DDL as REPORTS_DDL
from services.reporting.reports.projection import ReportsHandler, ReportsProjection
from services.reporting.stats.projection import StatsProjection
from services.reporting.tickets.projection import DDL
from shared.messaging.batching import HIGH_THROUGHPUT, LOW_LATENCY
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.projections.sets import ProjectionSet

SERVICE = Path(__file__).parents[1]


def projection_sets(zone: ZoneInfo) -> dict[str, ProjectionSet]:
    """By name; `zone` decides which day something belongs to."""
    return {
        "desk": ProjectionSet(
            name="desk",
            ddl=DDL,
            tables=(
                "tickets",
                "customer_tickets",
                "articles",
                "public_articles",
                "attachments",
                "public_attachments",
                "history",
                "notices",
                "former_tickets",
                "former_customer_tickets",
                "snapshots",
            ),
            handler=DeskHandler,
            batching=LOW_LATENCY,
            dependent=views,
            before_promotion=record_promotion,
        ),
        "stats": ProjectionSet(
            name="stats",
            ddl=(SERVICE / "stats" / "tables.sql").read_text("utf-8"),
            tables=("tickets", "queues", "people", "days", "time"),
            handler=lambda schema: ProjectionHandler(StatsProjection(schema, zone)),
            batching=HIGH_THROUGHPUT,
        ),
        "reports": ProjectionSet(
            name="reports",
            ddl=REPORTS_DDL,
            tables=("tickets", "spans", "facts"),
            handler=lambda schema: ReportsHandler(ReportsProjection(schema)),
            batching=HIGH_THROUGHPUT,
            dependent=views,
        ),
    }
