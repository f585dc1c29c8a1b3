"""What a sweep's progress line says of how far it is."""

from driftline.collectors.sweep.tally import SweepProgress


def test_scopes_are_counted_of_those_that_are_known() -> None:
    tally = SweepProgress(1)
    tally.more(3)
    assert tally.done() == "1 of at least 3 scopes"
    tally.more(1200)
    tally.entered()
    assert tally.done() == "2 of 1,203 scopes"


def test_several_accounts_are_counted_too() -> None:
    tally = SweepProgress(2)
    tally.more(2)
    tally.entered()
    assert tally.done() == "1 of at least 2 scopes, 0 of 2 accounts done"
    tally.left()
    tally.entered()
    assert tally.done() == "2 of 2 scopes, 1 of 2 accounts done"
