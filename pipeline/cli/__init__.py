"""The command line. A command `foo` is `command` in `pipeline/cli/foo.py`, imported when it is used."""

import atexit
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import RestartWanted, UserError
from driftline.pipeline.common.exit_codes import (
    EXIT_INTERRUPTED,
    EXIT_OWN_ERROR,
    EXIT_RESTART,
    EXIT_USAGE,
)


class LazyGroup(Commands):
    """Finds commands by file name, so that `driftline --help` imports no client library."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        names = (module.name for module in iter_modules(__path__))
        return sorted(name.rstrip("_") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"driftline.pipeline.cli.{cmd_name}").command
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="DRIFTLINE_CONFIG",
    help="Settings file [default: driftline.yaml in this folder, if it exists].",
)
@click.version_option(package_name="driftline")
def main(config: Path | None) -> None:
    """Driftline: cloud security posture as a stream."""
    if config is not None:
        os.environ["DRIFTLINE_CONFIG"] = str(config)


def _unexpected(error: Exception) -> int:
    """Prints an uncaught exception; returns its exit code."""
    from driftline.pipeline.common import environment_errors

    if (told := environment_errors.describe(error)) is not None:
        click.echo(f"error: {told}", err=True)
        return EXIT_USAGE
    click.echo(
        f"internal error: {type(error).__name__}: {error}\n"
        "This is a bug in Driftline. Set DRIFTLINE_DEBUG=1 for a stack trace, and please report it.",
        err=True,
    )
    return EXIT_OWN_ERROR


def run() -> None:
    """The entry point: returns meaningful exit codes; user errors never show a stack trace."""
    for stream in (sys.stdout, sys.stderr):  # characters that the terminal cannot show are escaped
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = main.main(prog_name="driftline", standalone_mode=False)
    except UserError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        code = EXIT_USAGE
    except click.ClickException as error:
        error.show()
        code = EXIT_USAGE
    except RestartWanted as error:
        click.echo(f"restarting: {error}", err=True)
        code = EXIT_RESTART
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("DRIFTLINE_DEBUG"):
            raise
        code = _unexpected(error)
    if code == EXIT_INTERRUPTED and threading.active_count() > 1:
        # do not wait for threads, whose calls may take another half minute
        atexit._run_exitfuncs()  # noqa: SLF001 - what ends our children; Python would wait for threads first
        os._exit(code)
    sys.exit(code if isinstance(code, int) else 0)
