"""One resource read again gives what a sweep gives; what is gone is gone, what is denied is unread."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from driftline.collectors.aws.events.names import form
from driftline.collectors.aws.reread.resource import ResourceReader, taken_apart
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.base import Emitted
from driftline.collectors.redact import Redactor
from driftline.collectors.rows.paths import text
from driftline.pipeline.model import Read, Snapshot
from tests.collectors.moto import MASTER, Moto, furnish, running

REDACTOR = Redactor(b"k" * 32)
NO_ANSWER = {"AWS::EC2::ClientVpnEndpoint", "AWS::EC2::NetworkAcl"}
"""moto has no answer, or another code than AWS."""
SKIPPED = {"AWS::EC2::Image", "AWS::EC2::Snapshot"}
"""moto knows thousands that are nobody's."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running(tmp_path_factory.mktemp("moto")) as moto:
        furnish(moto)
        yield moto


@pytest.fixture
def options(furnished: Moto, monkeypatch: pytest.MonkeyPatch) -> CollectOptions:
    for name, value in furnished.env.items():
        monkeypatch.setenv(name, value)
    return CollectOptions(regions=["us-east-1"], redactor=REDACTOR, requests_per_second=500)


def wish(snapshot: Snapshot) -> Read:
    kind = kinds()[snapshot.type]
    region = "global" if kind.scope == "global" else snapshot.region
    return Read(
        uid=snapshot.uid, type=snapshot.type, account=snapshot.account, region=region, reason="change",
        after=datetime.now(UTC),
    )  # fmt: skip


def same(snapshot: Snapshot) -> dict[str, Any]:
    """What must not depend on how it was read."""
    left: dict[str, Any] = snapshot.model_dump(mode="json", exclude={"captured_at", "parts", "source", "sweep"})  # fmt: skip
    for version in left["config"].get("versions") or []:
        version.pop("CreatedDate", None)  # moto makes it anew each time
    for part, *steps in (path.split(".") for path in kinds()[snapshot.type].quiet):
        holder = left["config"].get(part)
        if len(steps) == 1 and isinstance(holder, dict):
            holder.pop(steps[0], None)  # it changes by itself
    return left


@pytest.mark.live
def test_every_resource_is_read_again_as_a_sweep_reads_it(options: CollectOptions) -> None:
    swept: list[Emitted] = []
    sweep(options, {}, swept.append)
    again = ResourceReader(options)
    found = [one for one in swept if isinstance(one, Snapshot) and one.type not in SKIPPED]
    assert len({one.type for one in found}) > 60
    different = []
    for snapshot in found:
        read = again.one(wish(snapshot))
        assert read is not None
        if same(read) != same(snapshot):
            different.append((snapshot.type, same(read), same(snapshot)))
    assert not different, different[0]


@pytest.mark.live
def test_what_is_not_there_is_gone(options: CollectOptions) -> None:
    """Every row that can name a resource that is not there says that it is gone, and nothing else."""
    again = ResourceReader(options)
    wrong = {}
    for kind in kinds().values():
        uid = text(form(kind), {"id": "x-0123456789abcdef0", "tail": "x-0123456789abcdef0", "account": MASTER,
                                "region": "us-east-1", "partition": "aws"})  # fmt: skip
        if kind.type in NO_ANSWER or kind.one is None or uid is None or not uid.startswith("arn:") or taken_apart(kind.uid, uid) is None:  # fmt: skip
            continue
        region = "global" if kind.scope == "global" else "us-east-1"
        try:
            read = again.one(Read(uid=uid, type=kind.type, account=MASTER, region=region, reason="change", after=datetime.now(UTC)))  # fmt: skip
        except Exception as error:
            wrong[kind.type] = repr(error)[:200]
            continue
        if read is None or not read.deleted:
            wrong[kind.type] = str(read)[:200]
    assert not wrong


@pytest.mark.live
def test_what_is_known_by_name_alone_is_found_by_it(
    options: CollectOptions, furnished: Moto
) -> None:
    furnished.client("iam").create_role(
        RoleName="Deploy", Path="/team/", AssumeRolePolicyDocument="{}"
    )
    likely = f"arn:aws:iam::{MASTER}:role/Deploy"
    wanted = Read(uid=likely, name="Deploy", type="AWS::IAM::Role", account=MASTER, region="global", reason="change", after=datetime.now(UTC))  # fmt: skip
    read = ResourceReader(options).one(wanted)
    assert read is not None
    assert (read.uid, read.deleted) == (f"arn:aws:iam::{MASTER}:role/team/Deploy", False)
    gone = ResourceReader(options).one(
        wanted.model_copy(update={"name": "nobody", "uid": likely[:-6] + "nobody"})
    )
    assert gone is not None
    assert gone.deleted


@pytest.mark.parametrize(
    ("template", "uid", "fields"),
    [
        ("arn:{partition}:s3:::{item.Name}", "arn:aws:s3:::b", {"Name": "b"}),
        ("{item.Arn}", "arn:aws:iam::1:role/a/b", {"Arn": "arn:aws:iam::1:role/a/b"}),
        ("arn:{partition}:sqs:{region}:{account}:{name}", "arn:aws:sqs:r:1:q", {}),
        ("arn:{partition}:x:{region}:{account}:g/{item.A.B}/{item.C}", "arn:aws:x:r:1:g/one/two/three", {"A": {"B": "one"}, "C": "two/three"}),
        ("arn:{partition}:s3:::{item.Name}", "arn:aws:sqs:r:1:q", None),
    ],
)  # fmt: skip
def test_a_uid_is_taken_apart(template: str, uid: str, fields: dict[str, Any] | None) -> None:
    assert taken_apart(template, uid) == fields
