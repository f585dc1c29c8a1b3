"""What every shell that judges needs of the settings: a rulebook and the assessing options."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.assess import Options
from pipeline.rulebook import Rulebook, load
from pipeline.settings import Settings


def rulebook_and_options(
    settings: Settings, paths: Sequence[Path] = ()
) -> tuple[Rulebook, Options]:
    """The built-in rules, the settings' and `paths`', with the settings' overrides.

    Raises UserError with every mistake in them."""
    rules = settings.rules
    rulebook = load([*rules.paths, *paths], rules.overrides, builtin=rules.builtin)
    return rulebook, Options(criticality=settings.criticality)
