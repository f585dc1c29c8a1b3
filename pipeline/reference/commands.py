"""Generates docs/commands.md from the command line itself."""

import inspect
from collections.abc import Iterator

import click

from driftline.pipeline import cli
from driftline.pipeline.common import exit_codes
from driftline.pipeline.reference import code, page, table

EXITS = {
    0: "Success. `scan`, `replay`: nothing failed and everything was read",
    exit_codes.EXIT_FAILED: "`scan`, `replay`: a failed finding at or above `--fail-on`; `rules test`: a rule without complete examples; `demo`: a step not seen; `doctor`: a warning; `baseline diff`: a difference; `kinds check`: a path that matches nothing; `owners check`: too much without an owner",
    exit_codes.EXIT_USAGE: "Usage or settings error; a system does not answer (commands that run once); `topics check`, `topics create`, `sink NAME --check`, `upgrade`: a difference; `detections check`, `exceptions check`: an error in a file; `doctor`: a failure",
    exit_codes.EXIT_UNREAD: "Nothing failed, but something was not read (`scan`, `replay`, `backtest`, `collect`, `coverage`, `record`), is not known (`timeline`, `baseline approve`, `baseline diff`, `owners check`), does not exist (`detections check`, `exceptions check`, `findings`, `alerts`, `accounts list`, `route explain`, `owners explain`) or was not sent again (`deadletter retry`)",
    exit_codes.EXIT_OWN_ERROR: "An internal error; or a `worker`, `correlate`, `cases` or `sink` that a restart does not fix (too many bad records, records lost to retention)",
    exit_codes.EXIT_NEWER: "`worker`, `correlate`, `cases`: the state was written by a newer version ([upgrading](upgrading.md))",
    exit_codes.EXIT_OTHER_TOPIC: "`worker`, `correlate`, `cases`: a topic was recreated, or belongs to another cluster ([operating](operating.md#when-data-is-late-twice-or-missing))",
    exit_codes.EXIT_RESTART: "Restart it: a `worker`, `correlate` or `cases` after a failed rebalance, or a system does not answer (commands that keep running). Nothing is lost",
    exit_codes.EXIT_INTERRUPTED: "Ctrl-C (for `collect`, SIGTERM too)",
}


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words; groups before their commands."""
    yield from _below((), cli.main)


def _below(words: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:  # fmt: skip
    yield words, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                yield from _below((*words, name), found)


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    blocks = [_command(words, command) for words, command in commands() if words]
    exits = "## Exit codes\n\n" + table(["code", "meaning"], [[str(n), text] for n, text in sorted(EXITS.items())])  # fmt: skip
    options = _options(cli.main)
    intro = (
        "`driftline COMMAND --help` prints the same. Before the command, `--config FILE` selects the settings file "
        "([settings.md](settings.md)).\n\n" + options
    )
    yield "docs/commands.md", page("Commands", "pipeline/cli/", intro, exits, *blocks)


def _command(words: tuple[str, ...], command: click.Command) -> str:
    help = inspect.cleandoc(command.help or "").replace("\b\n", "")
    title = "##" + "#" * (len(words) - 1) + f" driftline {' '.join(words)}"
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]  # fmt: skip
    tail = "COMMAND …" if isinstance(command, click.Group) else " ".join(arguments)
    optional = " [OPTIONS]" if any(isinstance(p, click.Option) for p in command.params) else ""
    usage = f"```\ndriftline {' '.join(words)}{optional} {tail}".rstrip() + "\n```"
    return "\n\n".join(text for text in (title, usage, help, _options(command)) if text)


def _options(command: click.Command) -> str:
    ctx = click.Context(command)
    rows = []
    for option in command.params:
        record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
        if record is not None and not (isinstance(option, click.Option) and option.hidden):
            rows.append([code(record[0]), record[1].strip()])
    return table(["option", "meaning"], rows) if rows else ""
