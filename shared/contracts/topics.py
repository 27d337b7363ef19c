"""The Kafka topics: names, keys and number of partitions."""

TICKETS = "helpdesk.tickets.v1"
"""Every event of every ticket. The key is the ticket's id. Kept for ever."""

DIRECTORY = "helpdesk.directory.v1"
"""Configuration documents and customers. The key is the entity's id. Kept for ever."""

REPORTS = "helpdesk.reports.v1"
"""Reports that are sent by mail. The key is the run's id. Kept for ever."""

RULES = "helpdesk.rules.v1"
"""Triggers that were switched off because they cannot do what they say. The key is the trigger's id. Kept for ever."""

PARTITIONS = 12
ALL = (TICKETS, DIRECTORY, REPORTS, RULES)
BY_CATEGORY = {"ticket": TICKETS, "report-run": REPORTS, "rule": RULES}
"""The topic of a stream, by its category; DIRECTORY for all others, which are documents and customers."""
