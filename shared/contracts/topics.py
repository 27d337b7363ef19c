"""The Kafka topics of the product: their names, keys and partition count."""

TICKETS = "helpdesk.tickets.v1"
"""Every event of every ticket; key = ticket id; kept for ever."""

DIRECTORY = "helpdesk.directory.v1"
"""Versioned configuration documents and customers; key = entity id; kept for ever."""

PARTITIONS = 12
ALL = (TICKETS, DIRECTORY)
