"""Marks a test with the requirements of the catalogue that it proves."""

import pytest


def requirement(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.requirement(*ids)
