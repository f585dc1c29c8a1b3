"""Tests a rule's sentence: every failing example pins it, and different values produce different sentences."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from driftline.pipeline.model.base import micros
from driftline.pipeline.proof.rules.proof import changes, document
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.rulebook.cel.expression import TAGS
from driftline.pipeline.rulebook.rule import Example, Rule
from driftline.pipeline.rulebook.wording.sentence import Sentence, Situation


class ExampleSentence(NamedTuple):
    """The sentence for an example."""

    example: Example
    text: str | None
    """None if no template applies: the finding would have the generic sentence."""
    template: int = -1


def render_examples(rule: Rule) -> list[ExampleSentence]:
    """The sentences of all failing examples of a rule that has a sentence."""
    if rule.sentence is None:
        return []
    return [_told(rule, rule.sentence, example) for example in rule.file.examples.failed]


def _told(rule: Rule, sentence: Sentence, example: Example) -> ExampleSentence:
    try:
        said = sentence.said(situation(rule, example))
    except (KeyError, IndexError, TypeError, ValueError):
        return ExampleSentence(
            example, None
        )  # its changes do not apply to the base; `failures` reports it
    return ExampleSentence(example, *said) if said else ExampleSentence(example, None)


def situation(rule: Rule, example: Example) -> Situation:
    """An example as its sentence sees it."""
    resource = document(rule, example)
    known = {part: v for part, v in resource["config"].items() if part not in example.unread}
    now = micros(datetime.fromisoformat(example.now))
    params = rule.file.params | example.params
    changed = changes(example, resource)
    tagless = TAGS in example.unread
    return Situation(resource, known, now, params, example.previous, changed, tagless)


def unsaid(rule: Rule) -> list[str]:
    """The problems with the sentences of a rule's failing examples."""
    examples = rule.file.examples
    others = [*examples.passed, *examples.unknown, *examples.not_applicable]
    out = [
        f"{rule.path}: example {one.name!r} does not fail, so it has no sentence (remove `says`)"
        for one in others
        if one.says is not None
    ]
    if rule.sentence is None:
        return out + [
            f"{rule.path}: example {one.name!r} has `says`, but the rule has no sentence (add `sentence`)"
            for one in examples.failed
            if one.says is not None
        ]
    found = render_examples(rule)
    for one in found:
        where = f"{rule.path}: example {one.example.name!r}"
        if one.text is None and one.example.unread:
            continue  # the generic sentence is correct for it
        if one.text is None:
            out.append(f"{where}: no sentence has values for all its names (add another one to `sentence`)")  # fmt: skip
        elif one.example.says is None:
            out.append(f"{where} does not pin its sentence (add says: {one.text!r}, or --write-sentences)")  # fmt: skip
        elif one.example.says != one.text:
            out.append(f"{where} has the sentence {one.text!r}, expected {one.example.says!r}")
    return out + _constant(rule, rule.sentence, found)


def _constant(rule: Rule, sentence: Sentence, found: list[ExampleSentence]) -> list[str]:
    """Values that do not affect the sentence: a constant sentence does not test its expressions."""
    out = [
        f"{rule.path}: no failing example has the sentence {template!r} (add one, or remove it)"
        for number, template in enumerate(sentence.templates)
        if number not in {one.template for one in found}
    ]
    found = [one for one in found if one.text is not None]
    if not found:
        return out
    if len({one.text for one in found}) < 2 and not _follows_names(rule, sentence, found[0]):
        out.append(
            f"{rule.path}: the sentence is the same for every resource (use {{resource}}, or the deciding value)"
        )
    values = [sentence.values_of(situation(rule, one.example)) for one in found]
    return out + [
        f"{rule.path}: {name} is {values[0][name]!r} in every failing example (add one with a different value)"
        for name in sentence.values
        if all(one[name] == values[0][name] for one in values)
    ]


def _follows_names(rule: Rule, sentence: Sentence, one: ExampleSentence) -> bool:
    """Whether a different resource in another location would have a different sentence."""
    here = situation(rule, one.example)
    other = {
        "uid": provider(rule.provider).sample_uids[1],
        "name": "other",
        "region": "us-west-2",
        "account": "222222222222",
        "tags": {},
    }
    said = sentence.said(replace(here, resource={**here.resource, **other}))
    return said is not None and said[0] != one.text
