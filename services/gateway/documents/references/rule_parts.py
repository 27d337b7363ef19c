"""The types of conditions and actions in documents, which the contracts keep as JSON."""

from collections.abc import Mapping
from typing import Any

from shared.automation.actions import Actions, MacroActions
from shared.automation.conditions import Condition, WholeCondition
from shared.contracts.directory import Macro, Trigger
from shared.contracts.marks.declaration import Document

TAKEN: Mapping[type[Document], Mapping[str, Any]] = {
    Trigger: {"when": WholeCondition, "then": Actions},
    Macro: {"then": MacroActions},
}
"""What the API takes for fields of documents."""
SHOWN: Mapping[type[Document], Mapping[str, Any]] = {
    Trigger: {"when": Condition, "then": Actions},
    Macro: {"then": MacroActions},
}
"""What it shows for them."""
