"""The demo's steps: each changes something, and is seen in Elasticsearch or is not."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.demo.audit import STRANGER, Recorder, to_bus, user
from pipeline.demo.estate import BLOCKED, REGIONS, anybody_reads, world
from pipeline.demo.patience import Patience
from pipeline.demo.plan import plan, trusts
from pipeline.demo.stage import Check, Stage
from pipeline.demo.tail import Findings, Sweeps
from pipeline.demo.truth import (
    BLOCK,
    PUBLIC,
    READS,
    RULES,
    SSH,
    VERSIONS,
    Shown,
    moved,
    told_twice,
    wrong,
)
from pipeline.model import finding_id

CULPRIT = "mallory"
READ = 4
"""So often a stranger reads. (An alert is said again when it has twice as many hits.)"""
BUCKET = "AWS::S3::Bucket"
DECLARED = "driftline-declared-baseline"
ACCEPTED = timedelta(seconds=5)


@dataclass
class Step:
    """`what` it shows, whether it was seen, and how long that took. Not begun: seconds is None."""

    name: str
    what: str
    seen: bool = False
    seconds: float | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"seconds": None if self.seconds is None else round(self.seconds, 3)}


def steps() -> list[Step]:
    """All of them, in their order, none begun."""
    return [
        Step(name, (getattr(Play, name.replace(" ", "_").lower()).__doc__ or "").splitlines()[0])
        for name in NAMES
    ]


NAMES = ("first sweep", "opened to the world", "fixed", "opened again", "risk accepted", "role widened", "public bucket read",
         "bucket deleted", "permission lost", "worker killed", "Elasticsearch stopped")  # fmt: skip


class Play(Patience):
    """Plays the steps."""

    def __init__(self, stage: Stage, watch: Check) -> None:
        super().__init__(watch)
        self.stage, self.view = stage, stage.view
        self.estate = stage.estate
        self.account = self.estate.accounts[1]
        self.group = self.estate.group(self.account, REGIONS[0], "group-5")
        uid = f"arn:aws:ec2:{REGIONS[0]}:{self.account}:security-group/{self.group}"
        self.ssh, self.ssh_id = (SSH, uid), finding_id(SSH, uid)
        self.ec2 = self.estate.client("ec2", self.account, REGIONS[0])
        self.put = to_bus(self.estate.client("events"))
        Recorder(self.ec2.meta, self.account, user(CULPRIT, self.account), self.put)
        self.s3 = self.estate.client("s3", self.account)
        self.sweeps = Sweeps(stage.kafka_settings)

    def play(self, steps: list[Step]) -> Iterator[Step]:
        """Each step before it begins and when it is over; ends at the first that was not seen."""
        for step in steps:
            began = time.monotonic()
            step.seconds = 0.0
            yield step
            try:
                step.detail = getattr(self, step.name.replace(" ", "_").lower())()
                step.seen = True
            except (TimeoutError, RuntimeError) as why:
                step.detail = str(why)
            step.seconds = time.monotonic() - began
            yield step
            if not step.seen:
                return

    def stands(self, id: str, status: str, evaluation: str) -> bool:
        document = self.view.finding(id)
        return bool(
            document
            and document["driftline"]["status"] == status
            and document["result"]["evaluation"] == evaluation
        )

    def named(self, id: str) -> str | None:
        """Who caused what a finding opened with."""
        document = self.view.finding(id)
        actor = (document or {}).get("driftline", {}).get("actor") or {}
        return actor.get("name")

    def changed(self, key: tuple[str, str], status: str) -> str:
        """The truth is another now; the finding's id."""
        self.estate.truth[key] = status
        return finding_id(*key)

    def bucket(self, account: str, number: int, rule: str = BLOCK) -> tuple[str, str]:
        return rule, f"arn:aws:s3:::{self.estate.bucket(account, number)}"

    def first_sweep(self) -> str:
        """first sweep: every known fault is found, and nothing else"""
        self.stage.collect()
        self.until_none(
            lambda: wrong(self.estate.truth, self.view.documents()), "every known fault"
        )
        bad = sum(status == "open" for status in self.estate.truth.values())
        good = len(self.estate.truth) - bad
        return f"{bad} faults of {len(RULES)} rules open, {good} good clear"

    def opened_to_the_world(self) -> str:
        """a security group is opened to the world → open, and by whom"""
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=world(22))
        self.changed(self.ssh, "open")
        took = self.until(lambda: self.stands(self.ssh_id, "open", "failed"), "open")
        named = took + self.until(
            lambda: self.named(self.ssh_id) == CULPRIT, "the name of who did it"
        )
        return f"open after {took:.1f} s, by {CULPRIT} known after {named:.1f} s"

    def fixed(self) -> str:
        """it is closed again → resolved"""
        self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=world(22))
        self.changed(self.ssh, "resolved")
        took = self.until(lambda: self.stands(self.ssh_id, "resolved", "passed"), "resolved")
        return f"resolved {took:.1f} s after the change"

    def opened_again(self) -> str:
        """it is opened once more → the same finding is reopened, not a second one"""
        before = self.view.distinct()
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=world(22))
        self.changed(self.ssh, "open")
        self.until(lambda: self.stands(self.ssh_id, "open", "failed"), "reopened")
        mine = [d for d in self.view.documents() if (d.rule, d.uid) == self.ssh]
        if [d.reopened for d in mine] != [1] or self.view.distinct() != before:
            raise RuntimeError(f"not one document, reopened once, but {mine}")
        return "the same document, reopened once"

    def risk_accepted(self) -> str:
        """somebody accepts that for a few seconds → suppressed, and open again when these are over"""
        until = datetime.now(UTC) + ACCEPTED
        self.stage.cli("exceptions", "add", "--rule", SSH, "--resource", self.ssh[1], "--reason", "a demonstration of an exception",
                       "--owner", "ann", "--approver", "bea", "--until", until.isoformat())  # fmt: skip
        began = time.monotonic()
        self.until(lambda: self.stands(self.ssh_id, "suppressed", "failed"), "suppressed")
        took = time.monotonic() - began
        self.until(lambda: self.stands(self.ssh_id, "open", "failed"), "open again")
        own = (self.view.finding(self.ssh_id) or {})["driftline"]
        if (own["reason"], own["reopened"]) != ("exception_ended", 1):
            raise RuntimeError(f"open, but {own['reason']}, reopened {own['reopened']} times")
        return f"suppressed after {took:.1f} s, ended by itself"

    def role_widened(self) -> str:
        """a role that Terraform declares is widened past it → a finding with who did it, until it is put back"""
        role = f"arn:aws:iam::{self.account}:role/role-1"
        id = finding_id(DECLARED, role)
        iam = self.estate.client("iam", self.account)
        Recorder(iam.meta, self.account, user(CULPRIT, self.account), self.put)
        now = iam.get_role(RoleName="role-1")["Role"]["AssumeRolePolicyDocument"]
        self.stage.cli(
            "baseline",
            "declare",
            "--workspace",
            "demo",
            "--plan",
            str(plan(self.stage.folder, role, now)),
        )
        self.until(lambda: self.stands(id, "clear", "passed"), "as declared")
        wider = {**now, "Statement": [*now["Statement"], trusts("999999999999")]}
        began = time.monotonic()
        iam.update_assume_role_policy(RoleName="role-1", PolicyDocument=json.dumps(wider))
        self.until(lambda: self.stands(id, "open", "failed") and self.named(id) == CULPRIT, "open")
        took = time.monotonic() - began
        iam.update_assume_role_policy(RoleName="role-1", PolicyDocument=json.dumps(now))
        self.until(lambda: self.stands(id, "resolved", "passed"), "put back")
        return f"not as declared after {took:.1f} s, by {CULPRIT}"

    def public_bucket_read(self) -> str:
        """a bucket is made public, and somebody who did not log in reads it → one alert with its story"""
        bucket, key = self.estate.bucket(self.account, 6), "customers.csv"
        id = finding_id(PUBLIC, f"arn:aws:s3:::{bucket}")
        owner, stranger = (self.estate.client("s3", self.account) for _ in range(2))
        owner.put_object(Bucket=bucket, Key=key, Body=b"a,b")
        Recorder(owner.meta, self.account, user(CULPRIT, self.account), self.put)
        Recorder(stranger.meta, self.account, STRANGER, self.put, frozenset({"GetObject"}))
        owner.put_bucket_policy(Bucket=bucket, Policy=anybody_reads(bucket))
        self.until(lambda: self.stands(id, "open", "failed"), "open")
        for _ in range(READ):
            stranger.get_object(Bucket=bucket, Key=key)
        began = time.monotonic()

        def told() -> bool:
            return [alert["count"] for alert in self.view.alerts(READS)] == [READ]

        self.until(told, f"one alert of {READ} reads")
        story = self.view.alerts(READS)[0]["story"]
        took = time.monotonic() - began
        owner.delete_bucket_policy(Bucket=bucket)
        self.until(lambda: self.stands(id, "resolved", "passed"), "resolved")
        return f"alert after {took:.1f} s: {len(story)} reads from {story[0]['from']}"

    def bucket_deleted(self) -> str:
        """a bucket is deleted → gone from the latest view, in the history as resource_deleted"""
        uid = self.bucket(self.account, 3)[1]
        ids = {d.id for d in self.view.documents() if d.uid == uid}
        self.s3.delete_bucket(Bucket=self.estate.bucket(self.account, 3))
        for rule in (BLOCK, VERSIONS):
            del self.estate.truth[rule, uid]
        self.until(lambda: all(self.view.gone(id) for id in ids), "gone from the latest view")

        def untold() -> list[str]:
            told = [source["event"]["id"] for source in self.view.history("resource_deleted")]
            return [id for id in {*ids, *told} if told.count(id) != 1 or id not in ids]

        self.until_none(untold, "in the history, once each")
        return f"{len(ids)} findings gone, resource_deleted once"

    def _buckets(self) -> list[Shown]:
        return [d for d in self.view.documents() if d.type == BUCKET and d.account == self.account]

    def permission_lost(self) -> str:
        """the collector loses a permission → unknown, nothing closed; given back → known"""
        before = self._buckets()
        rest = [d for d in self.view.documents() if d not in before]

        def hidden() -> list[str]:
            now = self._buckets()
            return moved(before, now) + [d.id for d in now if d.evaluation != "unknown"]

        def back() -> list[str]:
            now = self._buckets()
            known = {d.id: d.evaluation for d in before}
            return moved(before, now) + [d.id for d in now if d.evaluation != known.get(d.id)]

        self.estate.permit(self.account, buckets=False)
        self.estate.enforce(on=True)
        try:
            self.until_none(hidden, "unknown")
            self.estate.permit(self.account, buckets=True)
            self.until_none(back, "known again")
        finally:
            self.estate.enforce(on=False)
        self.until_none(lambda: moved(before + rest, self.view.documents()), "all as it was")
        return f"{len(before)} unknown, none closed; known again"

    def worker_killed(self) -> str:
        """a worker is killed with -9 in mid-sweep → nothing lost, nothing twice"""
        before = self.view.documents()
        places = [(account, number) for account in self.estate.accounts for number in (0, 6)]
        self._block(places[::2])
        read, scopes = self._kill_in_mid_sweep()
        self._block(places[1::2])
        ids = [self.changed(self.bucket(*place), "resolved") for place in places]
        self.until(lambda: all(self.stands(id, "resolved", "passed") for id in ids), "all resolved")
        self._whole()
        if lost := moved(before, self.view.documents(), ids):
            raise RuntimeError(f"not where they were: {'; '.join(lost[:3])}")
        return f"at {read} of {scopes} scopes; none lost or twice"

    def _kill_in_mid_sweep(self) -> tuple[int, int]:
        """How many scopes were read, and of how many, when the worker died.

        Other scopes of the same sweep were finished later: else no sweep was under way, and it is done again."""
        scopes, known = self.sweeps.scopes(), set(self.sweeps.look())
        while True:
            self.until(lambda: set(self.sweeps.look()) != known, "a new sweep")
            running = next(id for id in self.sweeps.headers if id not in known)
            known.add(running)
            read, at = len(self.sweeps.headers[running]), datetime.now(UTC)
            if read >= scopes:
                continue  # it is over already
            self.stage.children["worker-1"].kill()

            def whole(id: str = running) -> bool:
                return len(self.sweeps.look()[id]) >= scopes

            self.until(whole, "the end of that sweep")
            if any(header.finished_at > at for header in self.sweeps.headers[running]):
                return read, scopes

    def _block(self, places: list[tuple[str, int]]) -> None:
        for account, number in places:
            self.estate.client("s3", account).put_public_access_block(
                Bucket=self.estate.bucket(account, number), PublicAccessBlockConfiguration=BLOCKED
            )

    def _whole(self) -> None:
        """All findings are as they must be, one document each, and none opened or ended twice."""
        self.until_none(lambda: wrong(self.estate.truth, self.view.documents()), "all as it must be")  # fmt: skip
        if twice := told_twice(self.view.history()):
            raise RuntimeError(f"told twice: {'; '.join(twice[:3])}")
        count, ids = self.view.distinct()
        if count != ids:
            raise RuntimeError(f"{count} documents of {ids} findings")

    def elasticsearch_stopped(self) -> str:
        """Elasticsearch is stopped for a while → everything arrives later"""
        findings = Findings(self.stage.kafka_settings)
        try:
            self.stage.elastic_rests = True
            self.stage.elastic.stop()
            for account in self.estate.accounts:
                self.estate.client("s3", account).put_bucket_versioning(
                    Bucket=self.estate.bucket(account, 0),
                    VersioningConfiguration={"Status": "Enabled"},
                )
            keys = [self.bucket(account, 0, VERSIONS) for account in self.estate.accounts]
            ids = [self.changed(key, "resolved") for key in keys]
            self.until(
                lambda: all(findings.status(id) == "resolved" for id in ids),
                "judged while Elasticsearch is down",
            )
        finally:
            findings.close()
        self.stage.elastic.child.start()
        self.until(self.stage.elastic.healthy, "Elasticsearch to be back")
        self.stage.elastic_rests = False
        took = self.until(
            lambda: all(self.stands(id, "resolved", "passed") for id in ids), "all arrived"
        )
        self._whole()
        return f"judged meanwhile, arrived {took:.1f} s after"
