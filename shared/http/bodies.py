"""The base of request bodies and answers. The types of their values are in `shared.input_types`."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Unknown fields are refused, values frozen; errors never repeat what was sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
