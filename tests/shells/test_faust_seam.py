"""What the worker needs of Faust, aiokafka and rocksdict beyond their documented interfaces (pipeline/worker/faust_seam.py)
is still there. Each failure names what is missing, and the installed version that lacks it."""

import ast
import importlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from driftline.pipeline import worker

FOLDER = Path(worker.__file__).parent
DISTRIBUTIONS = {"faust": "faust-streaming", "aiokafka": "aiokafka", "rocksdict": "rocksdict"}


class Pin(NamedTuple):
    name: str
    """module:attribute.attribute"""
    parameters: str = ""
    """Its parameters by name, in order, where it is called or replaced."""
    source: tuple[str, ...] = ()
    """Text that its source must have: how Faust itself uses what is replaced."""


DRIVER = "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread"
PINS = [
    # set_fetch_wait: Faust reads the class from the module, and names the option
    Pin("aiokafka:AIOKafkaConsumer.__init__"),
    Pin(f"{DRIVER}._create_worker_consumer", "self transport", ("aiokafka.AIOKafkaConsumer(", "fetch_max_wait_ms=1500")),
    # complete_assignor
    Pin("faust.assignor:PartitionAssignor.assign", "self cluster member_metadata"),
    Pin("faust.types.settings.settings:Settings.PartitionAssignor"),
    Pin("aiokafka.cluster:ClusterMetadata.partitions_for_topic", "self topic"),
    # recover_first
    Pin("faust.tables.manager:TableManager.recovery"),
    Pin("faust.tables.recovery:Recovery._build_offsets", "self consumer tps destination title"),
    Pin("faust.tables.recovery:Recovery", "", ('"active"', "self._build_offsets)(")),
    # before_stop
    Pin("faust.app.base:App._stop_consumer", "self"),
    Pin("faust.app.base:App.on_stop", "self", ("await self._stop_consumer()",)),
    # the files
    Pin("faust.tables.base:Collection.data"),
    Pin("faust.tables.base:Collection.changelog_topic_name"),
    Pin("faust.tables.base:Collection.apply_changelog_batch", "", ("self.data.apply_changelog_batch(", "to_key=", "to_value=")),
    Pin("faust.stores.rocksdb:Store.apply_changelog_batch", "self batch to_key to_value"),
    Pin("faust.stores.rocksdb:Store.offset_key"),
    Pin("faust.stores.rocksdb:Store._open_for_partition", "self partition"),
    Pin("faust.stores.rocksdb:Store._db_for_partition", "self partition", ("self._open_for_partition(partition)",)),
    Pin("faust.stores.rocksdb:Store.persisted_offset", "self tp", ("self.offset_key", "int(offset)")),
    Pin("rocksdict:WriteBatch.put"),
    Pin("rocksdict:WriteBatch.delete"),
    Pin("rocksdict:Rdict.items"),
    # membership, and how far it is
    Pin("faust.types.app:AppT.consumer_generation_id"),
    Pin("faust.app.base:App.rebalancing"),
    Pin("faust.app.base:App.on_partitions_revoked"),
    Pin("faust.tables.recovery:Recovery.completed"),
    Pin("faust.transport.consumer:Consumer.assignment"),
    Pin("faust.transport.consumer:Consumer.highwater", "self tp"),
    Pin("faust.transport.consumer:Consumer.commit"),
    Pin("faust.transport.consumer:Consumer.flow_active"),
    Pin("faust.transport.consumer:Consumer._paused_partitions"),
    Pin("faust.transport.consumer:Consumer.unacked"),
    Pin("faust.types.tuples:Message.generation_id"),
    # batches, acknowledged only once they are durable
    Pin("faust.streams:Stream.noack_take", "self max_ within"),
    Pin("faust.streams:Stream.ack", "self event"),
    # process
    Pin("faust.worker:Worker.spinner"),
    Pin("faust.worker:Worker.execute_from_commandline", "self"),
    # credentials.py: of this error alone aiokafka tries again
    Pin("aiokafka.abc:AbstractTokenProvider.token", "self"),
    Pin("aiokafka.errors:KafkaConnectionError"),
    Pin("faust:OAuthCredentials.__init__", "self oauth_cb ssl_context"),
    Pin("faust:SASLCredentials.__init__"),
    Pin("faust:SSLCredentials.__init__"),
]  # fmt: skip


def problem(pin: Pin) -> str:
    """What is wrong with a pin in the installed version; empty: nothing."""
    module, _, path = pin.name.partition(":")
    package = DISTRIBUTIONS[module.partition(".")[0]]
    where = f"{package} {version(package)}: {pin.name}"
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return f"{where} is gone (no module {module})"
    for name in path.split("."):
        if not _has(found, name):
            return f"{where} is gone (no {name})"
        found = getattr(found, name, None)
    if pin.parameters:
        have = " ".join(inspect.signature(found).parameters)
        if have != pin.parameters:
            return f"{where} takes ({have}), not ({pin.parameters})"
    source = inspect.getsource(found) if pin.source else ""
    missing = [text for text in pin.source if text not in source]
    return f"{where} no longer has {missing}" if missing else ""


def _has(found: Any, name: str) -> bool:
    """Whether a module or class has a name: as an attribute, an annotation, or set in a method of the class."""
    if hasattr(found, name):
        return True
    for base in getattr(found, "__mro__", ()):
        if name in getattr(base, "__annotations__", {}):
            return True
        if base is not object and f"self.{name} = " in inspect.getsource(base):
            return True
    return False


@pytest.mark.parametrize("pin", PINS, ids=[pin.name for pin in PINS])
def test_what_the_seam_relies_on_is_there(pin: Pin) -> None:
    assert not problem(pin), problem(pin)


@pytest.mark.parametrize(
    ("pin", "told"),
    [
        (Pin("faust.tables.recovery:Recovery._offsets"), "is gone (no _offsets)"),
        (Pin("faust.recovering:Recovery"), "is gone (no module faust.recovering)"),
        (Pin("faust.tables.recovery:Recovery._build_offsets", "self tps"), "takes (self consumer tps destination title), not (self tps)"),
        (Pin("faust.app.base:App.on_stop", "self", ("self._stop_all()",)), "no longer has ['self._stop_all()']"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_the_version(pin: Pin, told: str) -> None:
    assert problem(pin) == f"faust-streaming {version('faust-streaming')}: {pin.name} {told}"


def test_every_private_name_of_the_seam_is_pinned() -> None:
    pinned = {name for pin in PINS for name in pin.name.partition(":")[2].split(".")}
    assert _private("faust_seam.py") <= pinned


def test_no_other_file_of_the_worker_reaches_into_faust() -> None:
    """Their own `self._name` aside."""
    others = [path.name for path in FOLDER.glob("*.py") if path.name != "faust_seam.py"]
    assert {name: found for name in others if (found := _private(name))} == {"run.py": {"_exit"}, "offsets.py": {"_exit"}}  # fmt: skip


def _private(file: str) -> set[str]:
    """The private attributes that a file uses of anything but its own `self` and `cls`."""
    tree = ast.parse((FOLDER / file).read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
