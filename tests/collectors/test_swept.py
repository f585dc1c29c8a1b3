"""What was swept is told a word for each region of an account, and says no more than its parts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from driftline.collectors.batches import together
from driftline.pipeline.model import Scope, Swept

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = st.lists(
    st.tuples(
        st.sampled_from(["111111111111", "222222222222"]), st.sampled_from(["eu-west-1", "global"]),
        st.sampled_from(["A", "B", "C"]), st.integers(0, 60), st.booleans(),
    ),
    unique_by=lambda one: one[:3],
)  # fmt: skip


def word(account: str, region: str, type_: str, at: int, complete: bool) -> Swept:
    scope = Scope(provider="aws", account=account, region=region, type=type_)
    began = START + timedelta(minutes=at)
    return Swept(scope=scope, started_at=began, complete=complete, ended_at=began + timedelta(minutes=1))  # fmt: skip


@given(WORDS)
def test_together_they_say_what_each_says(given_: list[tuple[str, str, str, int, bool]]) -> None:
    words = [word(*one) for one in given_]
    joined = together(words)
    said = {
        (one.scope.account, one.scope.region, type_): one for one in joined for type_ in one.types
    }
    assert len(said) == len(words)
    for one in words:
        whole = said[one.scope.account, one.scope.region, one.scope.type]
        assert whole.complete == one.complete
        assert whole.started_at <= one.started_at
        assert whole.ended_at is not None
        assert one.ended_at is not None
        assert whole.ended_at >= one.ended_at
    places = [(one.scope.account, one.scope.region, one.complete) for one in joined]
    assert len(places) == len(set(places))
