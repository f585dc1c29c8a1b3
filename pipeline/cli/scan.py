"""`driftline scan`: a one-time scan without Kafka. Exit: 0 nothing fails, 1 something fails, 3 nothing fails but something was unread."""

import io
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from driftline.pipeline.cli._options import choosing, formats
from driftline.pipeline.cli._providers import ProviderCommands, context_of, options_of
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.model import SEVERITIES, Snapshot, Sweep
from driftline.pipeline.offline.content import accepted, redactor, rulebook_and_options
from driftline.pipeline.report import totals
from driftline.pipeline.report.findings import print_report
from driftline.pipeline.report.table import console, some
from driftline.pipeline.rulebook.narrowing import named, narrow, severities, shows
from driftline.pipeline.rulebook.selection import select_rules
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorModule
    from driftline.collectors.folder.formats import FolderResult

TYPES_SHOWN = 5
"""Maximum number of types named in the line about skipped resources."""


def reporting(function: Any) -> Any:
    """The options of every scan."""
    for option in (
        click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; may be repeated."),
        click.option("--type", "types", multiple=True, metavar="TYPE", help="Only resources of this type; may be repeated."),
        click.option("--framework", metavar="ID", help="Only rules of this framework."),
        click.option("--rules", "paths", multiple=True, type=click.Path(exists=True, path_type=Path), help="Folder of your own rules."),
        click.option("--exceptions", "accepting", multiple=True, type=click.Path(exists=True, path_type=Path), help="Folder of exceptions, in addition to those of the settings."),
        formats("csv"),
        click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file (mode 0600)."),
        click.option("--fail-on", type=click.Choice(SEVERITIES), default="low", show_default=True, help="Exit with 1 for failures of this severity or higher."),
    ):  # fmt: skip
        function = option(function)
    return choosing(function)


class Scan:
    """Collects the results of a scan and reports them."""

    def __init__(self, settings: Settings, given: dict[str, Any]) -> None:
        from driftline.pipeline.offline.fold import Fold

        rulebook, options = rulebook_and_options(settings, given["paths"])
        options = replace(options, exceptions=accepted(settings, rulebook, given["accepting"]))
        self._severities = severities(given["severities"])
        chosen = select_rules(rulebook, given["rules"], given["types"], given["framework"] or "")
        self.rulebook = narrow(chosen, self._severities, named("--service", given["services"]), given["excluded"])  # fmt: skip
        self.fold = Fold(self.rulebook, options, keep=given.get("keep", True))
        self.sweeps: list[Sweep] = []
        self.types = sorted({rule.type for rule in self.rulebook.rules})
        self.left_out = {rule.type for rule in rulebook.rules} - set(self.types)
        if not self.types:
            raise UserError("no rules", fix="check rules.builtin and rules.paths")
        self._given = given
        path: Path | None = given["output"]
        self._file = (
            _opened(path) if path else None
        )  # report an unusable path before the scan, not after
        if self._file:
            click.get_current_context().call_on_close(self._file.close)

    def emit(self, record: object) -> None:
        if isinstance(record, Snapshot):
            self.fold.snapshot(record)
        elif isinstance(record, Sweep):
            self.sweeps.append(record)

    def end(self, more: dict[str, Any] | None = None, *, unread: bool = False, nothing: str) -> int:
        """Writes the report; returns the exit code. `nothing`: why nothing was evaluated, if that is the case."""
        given = self._given
        self.fold.open_pending()
        every = list(self.fold.documents())
        findings = [one for one in totals.standing(every) if shows(self._severities, one)]
        if not every and not self.sweeps:
            click.echo(f"nothing was evaluated: {nothing}", err=True)
            unread = True
        self.sweeps.sort(key=lambda sweep: sweep.scope.key)
        dead = totals.letters(self.fold.dead)
        extra = (more or {}) | ({"dead": dead} if dead else {})
        if given["form"] == "json":
            self._write(totals.as_json(findings, self.sweeps, extra))
        elif given["form"] == "csv":
            self._write(totals.as_csv(findings))
        else:
            out = io.StringIO() if self._file else sys.stdout
            print_report(console(out), findings, self.sweeps)
            self._write(out.getvalue() if isinstance(out, io.StringIO) else "")
        for letter in dead:
            click.echo(f"not processed: {totals.plain(letter['reason'])}", err=True)
        return totals.exit_code(
            findings, self.sweeps, given["fail_on"], unread=unread or bool(dead)
        )

    def _write(self, text: str) -> None:
        if self._file is None:
            click.echo(text, nl=False)
            return
        try:
            with self._file:
                self._file.truncate()
                self._file.write(text)
        except OSError as error:
            raise UserError(_unwritable(self._given["output"], error)) from None


def _opened(path: Path) -> IO[str]:
    """The report file, with mode 0600 even if it exists; its content is kept until the report is written. Raises UserError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # not a pipe, not /dev/null
            os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "w", encoding="utf-8")
    except OSError as error:
        raise UserError(_unwritable(path, error)) from None


def _unwritable(path: Path, error: OSError) -> str:
    return Problem(error.strerror, fix="choose another place", place=f"--output {path}")


def _provider(module: "CollectorModule") -> click.Command | None:
    """The command that judges a provider's accounts."""
    from driftline.collectors.collector import Sweeper

    if not isinstance(module, Sweeper):
        return None
    own = module.scan_options

    def judge(**given: Any) -> int:
        return _scan(module, given)

    params = [*own, *options_of(reporting(lambda: None))]
    help = " ".join(("Judge", module.title, "accounts."))
    return click.Command(module.provider, callback=judge, params=params, help=help)


def _scan(module: "CollectorModule", given: dict[str, Any]) -> int:
    from driftline.collectors.collector import Sweeper, SweepRequest

    assert isinstance(module, Sweeper)  # noqa: S101 - as _provider has found it
    settings = load_settings()
    scan = Scan(settings, given | {"keep": False})
    types = [type for type in scan.types if type in module.kinds()]
    if not types:
        raise UserError(f"no rule is about a resource of {module.title}", fix="choose other rules")
    with Console(stderr=True).status("reading …") as status:
        request = SweepRequest(
            scan.emit, types, once=True,
            progress=lambda text: status.update(Text(f"read {totals.plain(text)}")),
        )  # fmt: skip
        module.sweep(context_of(settings, module.scan_options, given, redactor(settings)), request)
    return scan.end(nothing=f"no account is to be read ({module.no_account})")


@click.group(name="scan", cls=ProviderCommands, make=_provider)
def command() -> None:
    """Evaluate an account or files once, and report."""


@command.command()
@click.argument(
    "paths_to_read",
    nargs=-1,
    required=True,
    metavar="PATH…",
    type=click.Path(exists=True, path_type=Path),
)
@reporting
def folder(paths_to_read: tuple[Path, ...], **given: Any) -> int:
    """Evaluate AWS Config files and tapes. No credentials are needed."""
    from driftline.collectors import installed
    from driftline.collectors.folder.formats import ReadsFiles
    from driftline.collectors.folder.read import read

    settings = load_settings()
    scan = Scan(settings, given)
    told = read(
        paths_to_read, scan.fold.feed, scan.fold.snapshot, set(scan.types), redactor(settings)
    )
    problems = [totals.plain(problem) for problem in told.problems]
    for problem in problems:
        click.echo(f"not read: {problem}", err=True)
    mapped = {type_ for one in installed.modules() if isinstance(one, ReadsFiles) for type_ in one.file_types()}  # fmt: skip
    left_out = {type_: n for type_, n in told.not_judged.items() if type_ in mapped and type_ in scan.left_out}  # fmt: skip
    not_judged = {type_: n for type_, n in told.not_judged.items() if type_ not in left_out}
    for type_, count in sorted(not_judged.items()):
        reads = installed.reader_of(type_) if type_ in {*scan.types, *scan.left_out} else None
        why = f" (only scan {reads.provider} reads this type)" if reads else ""
        click.echo(f"not judged: {totals.plain(type_)}: {count}{why}", err=True)
    if left_out:
        count, types = sum(left_out.values()), some(sorted(left_out), TYPES_SHOWN)
        click.echo(f"left out, as the options say: {number_of(count, 'resource')} ({types})", err=True)  # fmt: skip
    more = {"not_judged": not_judged, "left_out": left_out, "problems": problems}
    return scan.end(more, unread=bool(problems), nothing=_nothing(told, left_out))


def _nothing(told: "FolderResult", left_out: Mapping[str, int]) -> str:
    """Why nothing in the files could be evaluated."""
    if told.problems and not (told.records or told.not_judged):
        return "no file could be read"
    if left_out or told.records:
        return "the files hold no resource of a type that the chosen rules are about"
    if told.not_judged:
        return "the files hold no resource of a type that can be judged from files"
    return "the files hold no resource"
