"""Reports that are sent by mail again and again."""

from services.gateway.documents.kind import administrators, kind
from shared.contracts.directory import ReportSchedule

KIND = kind(ReportSchedule, "report-schedules", administrators)
