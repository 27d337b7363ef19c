"""The limit that every transport has."""

MOST_BYTES = 40 * 1024 * 1024
"""Bytes of one mail."""
