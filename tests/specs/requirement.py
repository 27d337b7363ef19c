"""Marks a test with the requirements that it proves, as the catalogue names them."""

import pytest


def requirement(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.requirement(*ids)
