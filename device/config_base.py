"""What every section of the configuration is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen, strict about keys and types: 0.9 for a percentage is an error, not a very low percentage."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
