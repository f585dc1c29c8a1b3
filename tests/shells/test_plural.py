"""One thing is not `1 things`: in what people read, numbers stand with their words by driftline.pipeline.common.plural."""

import re
from pathlib import Path

from driftline.pipeline.common.plural import number_of

ROOT = Path(__file__).parents[2]
WORDS = ["accounts", "alerts", "changes", "characters", "controls", "copies", "correlations", "days", "detections", "documents", "drifts", "events", "examples", "exceptions", "files", "findings", "forms", "hits", "letters", "messages", "minutes", "mutants", "partitions", "problems", "records", "resources", "rules", "scopes", "snapshots", "times", "topics", "types", "units", "warnings"]  # fmt: skip
LOOSE = re.compile(rf"\{{(?![A-Z_.]+\}})[^{{}}]*\}} (?:{'|'.join(WORDS)})\b")
OTHERS = ("raise Malformed", "raise Busy", "raise RuntimeError")
"""Of the records of others, which have many."""
MANY = {
    "pipeline/cli/alerts.py", "pipeline/cli/findings.py",  # with a plus where there are more
    "pipeline/cli/deadletter.py",  # several letters begin alike
    "pipeline/tasks/upgrade.py", "pipeline/tasks/doctor.py",  # all topics
    "pipeline/records/truncate.py", "pipeline/report/detail.py",  # of texts that are too long
    "pipeline/rulebook/wording/phrases.py", "collectors/sweep/tally.py",
    "pipeline/cases/step.py", "pipeline/cases/render.py", "pipeline/cli/owners.py",  # asked before, or a constant
}  # fmt: skip


def test_one_and_many() -> None:
    assert number_of(0, "rule") == "0 rules"
    assert number_of(1, "rule") == "1 rule"
    assert number_of(1200, "rule") == "1,200 rules"
    assert (number_of(1, "copy", "copies"), number_of(2, "copy", "copies")) == ("1 copy", "2 copies")  # fmt: skip


def test_no_number_stands_with_a_plural_alone() -> None:
    found = [
        f"{name}:{number}: {match[0]}"
        for folder in ("pipeline", "collectors", "sinks")
        for path in (ROOT / folder).rglob("*.py")
        if (name := str(path.relative_to(ROOT))) not in MANY and "demo" not in name and "/reference/" not in name
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if not any(one in line for one in OTHERS)
        for match in LOOSE.finditer(line)
        if not line[: match.start()].endswith(" of ")
    ]  # fmt: skip
    assert found == []
