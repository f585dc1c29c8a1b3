"""What to sweep in AWS, as whom, and how hard."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import hint


@dataclass
class CollectOptions:
    """What to sweep, and how hard."""

    accounts: Sequence[str] = ()
    """Empty: the caller's; ("all",): the organization's."""
    excluded: Sequence[str] = ()
    """Accounts that are not entered."""
    regions: Sequence[str] = ()
    """Empty or ("all",): every enabled one."""
    types: Sequence[str] = ()
    profile: str | None = None
    role_arn: str | None = None
    role_name: str = "DriftlineReader"
    external_id: str | None = None
    requests_per_second: float | None = 20
    """Over all calls in one account, beside the limits of each service (driftline.collectors.aws.api.rates); None: only those."""
    concurrency: int = 16
    shard: tuple[int, int] = (0, 1)
    """Which of how many: accounts are shared out by a hash of their id."""
    redactor: Redactor = field(default_factory=lambda: Redactor(uuid.uuid4().bytes))


def chosen(types: Sequence[str]) -> list[Kind]:
    """The rows of these types, or all. Raises UserError for an unknown one."""
    table = kinds()
    unknown = [t for t in types if t not in table]
    if unknown:
        raise UserError(
            *(Problem("no such type", fix=hint(t, table), place=f"--type {t}") for t in unknown)
        )
    return [table[t] for t in types] if types else list(table.values())
