"""Control records: time and people's decisions, as records to every partition they concern."""

from typing import Any

from pydantic import model_validator

from pipeline.model.base import Record, Time


class Tick(Record):
    """The low watermark of one source: everything it captured before has been written."""

    source: str
    watermark: Time


class Control(Record):
    """Exactly one of its fields. Only ticks exist so far; other kinds are passed over unharmed."""

    tick: Tick | None = None
    exception: dict[str, Any] | None = None
    baseline: dict[str, Any] | None = None
    rulebook: dict[str, Any] | None = None

    @model_validator(mode="after")
    def one(self) -> "Control":
        kinds = [self.tick, self.exception, self.baseline, self.rulebook]
        if sum(kind is not None for kind in kinds) + len(self.model_extra or {}) != 1:
            raise ValueError(
                "a control record has exactly one of tick, exception, baseline, rulebook"
            )
        return self
