"""Detections of strangers (a pull request): none makes loading or matching slow; what would is refused with its place."""

import time
from pathlib import Path

import pytest

from driftline.pipeline.detections import EventView, load

RULE = """title: t
id: 5b0a3f2c-0000-4000-8000-00000000000a
logsource: {product: aws, service: cloudtrail}
detection:
  s: %s
  condition: %s
"""
MANY = "{eventName: a}\n" + "\n".join(f"  s{n}: {{eventName: a{n}}}" for n in range(2000))
AGENT = "{'userAgent%s': '%s'}"
BOMBS = {
    "stars": RULE % (AGENT % ("", "*a" * 20_000), "s"),
    "stars without a field": RULE % (f"['{'*a' * 20_000}']", "s"),
    "groups": RULE % (AGENT % ("|re", "(a|b)*" * 20_000), "s"),
    "repetitions": RULE % (AGENT % ("|re", "((a{1,1000}){1,1000}){1,1000}"), "s"),
    "repetitions side by side": RULE % (AGENT % ("|re", "(a{1,900})*" * 50), "s"),
    "dashes": RULE % (AGENT % ("|windash|contains", " -a" * 20), "s"),
    "selectors": RULE % (MANY, " or ".join(["1 of s*"] * 300)),
    "not": RULE % ("{eventName: a}", "not " * 5000 + "s"),
    "a long condition": RULE % ("{eventName: a}", " and ".join(["s"] * 50_000)),
    "an alias": RULE % ("&a {eventName: [x, x]}\n  t: *a", "s and t"),
    "aliases of aliases": "title: t\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(9)),
    "deep": RULE % ("[" * 500 + "x" + "]" * 500, "s"),
    "a timestamp": RULE % ("{eventName: !!timestamp 2026-01-01}", "s"),
    "nothing to go by": RULE % ("{eventName: a}", "null"),
    "a list that is none": RULE % ("{eventName: a}", "{a: b}"),
}  # fmt: skip
QUICK = {
    "brackets": RULE % ("{eventName: a}", "(" * 300 + "s" + ")" * 300),
    "an exponential pattern elsewhere": RULE % (AGENT % ("|re", "(a+)+$"), "s"),
    "five stars": RULE % (AGENT % ("", "*a*a*a*a*a*b"), "s"),
    "many documents": "---\n".join([RULE % ("{eventName: a}", "s")] * 300),
}
EVENT = {"eventName": "a", "userAgent": "a" * 100_000 + "!"}


@pytest.mark.parametrize("name", [*BOMBS, *QUICK])
def test_no_detection_is_slow(name: str, tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text({**BOMBS, **QUICK}[name])
    began = time.process_time()
    found = load([path])
    for rule in found.rules.values():
        rule.matches(EventView(EVENT))
    assert time.process_time() - began < 5
    assert all(str(path) in problem and len(problem) < 1000 for problem in found.problems)
    if name in BOMBS:
        assert found.problems
        assert not found.rules
    elif name != "many documents":
        assert not found.problems


def test_each_document_has_its_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(RULE % ("{eventName: a}", "s") + "---\ntitle: u\nid: u\nwrong: 1\n")
    (problem,) = [one for one in load([path]).problems if "wrong" in one]
    assert problem.startswith(f"{path}:10:8: ")
