"""`driftline permissions`: generates least-privilege policies for each system."""

import inspect
import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.cli._providers import ProviderCommands, known_types
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.records import topics
from driftline.pipeline.settings.blocks import load_settings
from driftline.sinks import installed
from driftline.sinks.configured import configured_sink, kind_of
from driftline.sinks.module import Permitted, SinkModule, remembers

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorModule


class PolicyCommands(ProviderCommands):
    """Our own commands, one for each collector, and one for each kind of sink that has roles at its destination."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        sinks = [kind for kind in installed.kinds() if isinstance(installed.module(kind), Permitted)]  # fmt: skip
        return sorted({*super().list_commands(ctx), *sinks})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _roles(cmd_name)


def _roles(name: str) -> click.Command | None:
    """The command that prints the roles of a sink; None if there is no such sink, or it has none."""
    module = kind_of(name)
    if not isinstance(module, Permitted):
        return None
    only = "Only this role, in the format of the destination's API."
    option = click.Option(["--role"], type=click.Choice(module.roles), help=only)

    def callback(role: str | None) -> None:
        to = configured_sink(load_settings(), name)
        known = module.permissions(to.settings)
        click.echo(json.dumps(known[role] if role else known, indent=2))

    about = inspect.cleandoc(module.permissions.__doc__ or f"Print the roles of {name}.")
    return click.Command(name, callback=callback, params=[option], help=about)


def _policy(collector: "CollectorModule") -> click.Command | None:
    """The command that prints what a provider must allow; None where the collector cannot say it."""
    from driftline.collectors.collector import PermittedProvider

    if not isinstance(collector, PermittedProvider):
        return None

    def callback(types: tuple[str, ...], **given: Any) -> None:
        own = load_settings().collector(collector.provider)
        policy = collector.permissions(own, known_types(collector, types), given)
        click.echo(json.dumps(policy, indent=2))

    only = click.Option(["--type", "types"], multiple=True, metavar="TYPE", help="Only for this type; may be repeated.")  # fmt: skip
    params: list[click.Parameter] = [*collector.permission_options, only]
    about = inspect.cleandoc(collector.permissions.__doc__ or f"Print what {collector.title} must allow.")  # fmt: skip
    return click.Command(collector.provider, callback=callback, params=params, help=about)


class Grant(NamedTuple):
    """The Kafka permissions of one program."""

    program: str
    kind: str
    """`topic` or `group`."""
    name: str
    operations: tuple[str, ...]


LOOK = ("Describe", "DescribeConfigs")


@click.group(name="permissions", cls=PolicyCommands, make=_policy)
def command() -> None:
    """Print least-privilege policies."""


def grants(
    app_id: str, sink: str = "elasticsearch", correlate_id: str = topics.CORRELATE_ID, cases_id: str = topics.CASES_ID, module: SinkModule | None = None,
) -> list[Grant]:  # fmt: skip
    """The permissions of every program, the sink's by kind. Read and Write include Describe. Raises UserError."""
    kind = module or installed.module(sink)
    if kind is None:
        raise UserError("no such sink", fix=hint(sink, installed.kinds()), place=sink)
    read, write, settled = ("Read",), ("Write",), "DescribeConfigs"
    rows = [
        ("collector", topics.SNAPSHOTS, write),
        ("collector", topics.SWEEPS, ("Read", "Write")),
        ("collector", topics.CONTROL, write),  # progress of events; tapes (collect folder)
        ("collector", topics.CHANGES, write),
        ("collector", topics.READS, ("Read", "Write")),
        ("collector", topics.DEADLETTER, write),
        ("clock", topics.CONTROL, ("Read", "Write")),
        ("clock", topics.EXCEPTIONS, read),  # sent again every day
        ("worker", topics.SNAPSHOTS, ("Read", settled)),  # compares them at start
        ("worker", topics.CHANGES, ("Read", "Write", settled)),  # messages between states
        ("worker", topics.CONTROL, ("Read", settled)),
        ("worker", topics.FINDINGS, ("Write", settled)),
        ("worker", topics.RESTATEMENTS, ("Write", settled)),
        ("worker", topics.DRIFT, ("Write", settled)),
        ("worker", topics.READS, ("Write", settled)),
        ("worker", topics.SIGNALS, ("Write", settled)),
        ("worker", topics.DEADLETTER, ("Read", "Write")),  # letters written before a stop
        ("worker", topics.state_of(app_id), ("Read", "Write", settled)),
        *(("sink", topic, read) for topic in kind.topics),
        *([("sink", topics.TICKET_LINKS, write)] if kind.references else []),
        *([("sink", topics.DELIVERED, ("Read", "Write"))] if remembers(kind) else []),
        (
            "correlator",
            topics.SIGNALS,
            ("Read", "Write", settled),
        ),  # alerts are signals for other correlations
        ("correlator", topics.ALERTS, ("Write", settled)),
        ("correlator", topics.DEADLETTER, ("Read", "Write")),
        ("correlator", topics.groups_of(correlate_id), ("Read", "Write", settled)),
        ("correlator", topics.MEMBERS, ("Write", settled)),
        ("worker", topics.MEMBERS, ("Write", settled)),
        ("cases", topics.MEMBERS, ("Read", settled)),
        ("cases", topics.CONTROL, ("Read", settled)),
        ("cases", topics.TICKETS, ("Write", settled)),
        ("cases", topics.DEADLETTER, ("Read", "Write")),
        ("cases", topics.cases_of(cases_id), ("Read", "Write", settled)),
        ("sink", topics.DEADLETTER, ("Read", "Write")),
        ("operator", topics.SWEEPS, ("Read", "Write")),  # forget deletes their records
        ("operator", topics.FINDINGS, ("Read", "Write")),  # deadletter retry sends again
        ("operator", topics.SNAPSHOTS, ("Read", "Write")),
        ("operator", topics.CHANGES, ("Read", "Write")),
        ("operator", topics.CONTROL, ("Read", "Write")),
        ("operator", topics.DEADLETTER, ("Read", "Write")),
        ("operator", topics.EXCEPTIONS, ("Read", "Write")),
        ("operator", topics.BASELINES, ("Read", "Write")),
        ("operator", topics.DRIFT, read),  # timeline
        ("operator", topics.ALERTS, read),
        ("administrator", topics.FINDINGS, read),  # a changed mapping is filled again from it
        ("administrator", topics.RESTATEMENTS, read),
    ]
    out = [Grant(program, "topic", topic.name, operations) for program, topic, operations in rows]
    for topic in topics.topics_of(app_id, correlate_id, cases_id):
        out.append(Grant("administrator", "topic", topic.name, ("Create", *LOOK)))
        out.append(Grant("operator", "topic", topic.name, LOOK))  # doctor compares them
    groups = {
        "worker": app_id,
        "correlator": correlate_id,
        "cases": cases_id,
        "sink": topics.group_id(f"sink-{sink}"),
        "collector": topics.readers("aws"),
    }
    lookers = ["administrator", "clock", "collector", "operator"]
    lookers += ["sink"] if remembers(kind) else []
    # librdkafka asks for its coordinator
    out += [Grant(program, "group", topics.looking(), ("Describe",)) for program in lookers]
    for program, name in groups.items():
        out.append(Grant(program, "group", name, read))
        out.append(Grant("operator", "group", name, ("Describe",)))  # doctor shows their progress
    return sorted(out)


@command.command()
@formats()
@click.option(
    "--program",
    help="Only this one: collector, clock, worker, correlator, cases, sink, operator, administrator.",
)
@click.option(
    "--principal",
    default="User:driftline-{program}",
    show_default=True,
    help="{program} is filled in.",
)
@click.option(
    "--sink",
    default="elasticsearch",
    show_default=True,
    help="The sink whose group is used for the program sink.",
)
def kafka(form: str, program: str | None, principal: str, sink: str) -> None:
    """Print the ACLs of each program. As kafka-acls commands, or JSON."""
    settings = load_settings()
    to = configured_sink(settings, sink)
    every = grants(
        settings.worker.app_id, sink, settings.correlate.app_id, settings.tickets.app_id, to.module
    )
    wanted = [grant for grant in every if program in (None, grant.program)]
    if not wanted:
        raise UserError(
            "no such program",
            fix=f"one of: {', '.join(sorted({grant.program for grant in every}))}",
            place=f"--program {program}",
        )
    who = {grant: principal.replace("{program}", grant.program) for grant in wanted}
    if form == "json":
        rows = [
            grant._asdict() | {"pattern": "literal", "principal": who[grant]} for grant in wanted
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    servers = shlex.quote(settings.kafka.bootstrap_servers)
    for grant in wanted:
        operations = " ".join(f"--operation {operation}" for operation in grant.operations)
        click.echo(
            f"kafka-acls.sh --bootstrap-server {servers} --add --allow-principal {shlex.quote(who[grant])}"
            f" {operations} --{grant.kind} {shlex.quote(grant.name)}"
        )
