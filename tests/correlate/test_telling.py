"""The sentence that tells an alert."""

from typing import Any

from driftline.pipeline.correlate.alerts.sentence import sentence

ALERT: dict[str, Any] = {
    "title": "Rights are changed", "state": "active", "actors": ["ann"], "resources": ["arn:aws:iam::111111111111:role/x"], "count": 1,
    "group": {}, "story": [{"account": "111111111111", "account_name": "shop", "from": "198.51.100.7", "with": "cli"}],
}  # fmt: skip


def test_it_says_who_from_where_with_what_on_what_and_in_which_account() -> None:
    assert sentence(ALERT) == (
        "Rights are changed, by ann, from 198.51.100.7, with cli, on arn:aws:iam::111111111111:role/x,"
        " in account shop (111111111111), 1 event"
    )


def test_a_resource_that_is_not_known_is_called_as_the_request_calls_it() -> None:
    story = [{**ALERT["story"][0], "named": "bob"}]
    assert ", with cli, on bob (named in the request), in account shop" in sentence(ALERT | {"resources": [], "story": story})  # fmt: skip
    both = sentence(ALERT | {"story": story})
    assert ", on arn:aws:iam::111111111111:role/x, on bob (named in the request), in account" in both  # fmt: skip


def test_of_what_is_not_known_nothing_is_said() -> None:
    bare = ALERT | {"actors": [], "resources": [], "story": [{"with": "unknown"}], "count": 3}
    assert sentence(bare) == "Rights are changed, 3 events"
    assert sentence(bare | {"group": {"driftline.account": "1"}}) == "Rights are changed, in account 1, 3 events"  # fmt: skip
    assert sentence(bare | {"capped": True, "held_back": True}).endswith("at least 3 events, held back by the alert budget of its rule")  # fmt: skip
    assert sentence(ALERT | {"state": "merged"}) == "Rights are changed: merged into another alert"


def test_many_names_are_counted_and_hostile_ones_are_text() -> None:
    many = ALERT | {"actors": [f"{'a' * 200}{n}" for n in range(50)], "resources": ["x\n\u202e<script>"] * 3}  # fmt: skip
    text = sentence(many)
    assert len(text) <= 300
    assert text.isprintable()
    assert "more" in text
    assert "<" not in text
    assert len(sentence(ALERT | {"title": "t" * 5000})) <= 300
