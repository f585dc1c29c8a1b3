"""Demo steps in which someone changes something in the cloud, or makes a decision."""

import json
import time

from driftline.pipeline.demo.audit import STRANGER, Recorder, user
from driftline.pipeline.demo.estate import anybody_reads, world
from driftline.pipeline.demo.plan import plan, trusts
from driftline.pipeline.demo.scene import CULPRIT, Scene
from driftline.pipeline.demo.truth import BLOCK, PUBLIC, READS, RULES, SSH, VERSIONS, wrong
from driftline.pipeline.model import finding_id

READ = 4
"""Number of reads by an outsider. (An alert is written again when its number of hits has doubled.)"""
DECLARED = "driftline-declared-baseline"
ACCEPTED = "4s"
"""How long the risk is finally accepted, counted from when that is written, so that a slow machine does not matter."""


class Changes(Scene):
    """What people do."""

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
        took = self.until_stands(self.ssh_id, "open", "failed", "open")
        named = took + self.until(
            lambda: self.named(self.ssh_id) == CULPRIT,
            "the name of who did it",
            now=lambda: f"{self.named(self.ssh_id)}",
        )
        return f"open after {took:.1f} s, by {CULPRIT} known after {named:.1f} s"

    def fixed(self) -> str:
        """it is closed again → resolved"""
        self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=world(22))
        self.changed(self.ssh, "resolved")
        took = self.until_stands(self.ssh_id, "resolved", "passed", "resolved")
        return f"resolved {took:.1f} s after the change"

    def opened_again(self) -> str:
        """it is opened again → the same finding is reopened; no second one"""
        before = len(self.view.documents())
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=world(22))
        self.changed(self.ssh, "open")
        self.until_stands(self.ssh_id, "open", "failed", "reopened")
        every = self.view.documents()
        mine = [d for d in every if (d.rule, d.uid) == self.ssh]
        if [d.reopened for d in mine] != [1] or len(every) != before:
            raise RuntimeError(f"expected one document, reopened once, found {mine}")
        return "the same document, reopened once"

    def risk_accepted(self) -> str:
        """someone accepts that for a few seconds → suppressed, and reopened afterwards"""
        self._accept("1h")
        took = self.until_stands(self.ssh_id, "suppressed", "failed", "suppressed")
        # approved again with a near end: if it had been near at first, it could have passed before being seen here
        self._accept(ACCEPTED)
        self.until_stands(self.ssh_id, "open", "failed", "open again")
        own = (self.view.finding(self.ssh_id) or {})["driftline"]
        if (own["reason"], own["reopened"]) != ("exception_ended", 1):
            raise RuntimeError(f"open, but {own['reason']}, reopened {own['reopened']} times")
        return f"suppressed after {took:.1f} s, ended by itself"

    def _accept(self, how_long: str) -> None:
        """Accepts the open group for a duration, from when that is written."""
        self.stage.cli("exceptions", "add", "--rule", SSH, "--resource", self.ssh[1], "--reason", "a demonstration of an exception",
                       "--owner", "ann", "--approver", "bea", "--for", how_long)  # fmt: skip

    def role_widened(self) -> str:
        """a role is widened beyond its Terraform declaration → a finding that names who did it, until it is restored"""
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
        self.until_stands(id, "clear", "passed", "as declared")
        wider = {**now, "Statement": [*now["Statement"], trusts("999999999999")]}
        began = time.monotonic()
        iam.update_assume_role_policy(RoleName="role-1", PolicyDocument=json.dumps(wider))
        self.until(
            lambda: self.stands(id, "open", "failed") and self.named(id) == CULPRIT,
            f"open, by {CULPRIT}",
            now=lambda: f"{self.standing(id)}, by {self.named(id)}",
        )
        took = time.monotonic() - began
        iam.update_assume_role_policy(RoleName="role-1", PolicyDocument=json.dumps(now))
        self.until_stands(id, "resolved", "passed", "put back")
        return f"not as declared after {took:.1f} s, by {CULPRIT}"

    def public_bucket_read(self) -> str:
        """a bucket is made public, and an anonymous caller reads it → one alert with its story"""
        bucket, key = self.estate.bucket(self.account, 6), "customers.csv"
        id = finding_id(PUBLIC, f"arn:aws:s3:::{bucket}")
        owner, stranger = (self.estate.client("s3", self.account) for _ in range(2))
        owner.put_object(Bucket=bucket, Key=key, Body=b"a,b")
        Recorder(owner.meta, self.account, user(CULPRIT, self.account), self.put)
        Recorder(stranger.meta, self.account, STRANGER, self.put, frozenset({"GetObject"}))
        owner.put_bucket_policy(Bucket=bucket, Policy=anybody_reads(bucket))
        self.until_stands(id, "open", "failed", "open")
        for _ in range(READ):
            stranger.get_object(Bucket=bucket, Key=key)
        began = time.monotonic()

        def told() -> bool:
            return [alert["count"] for alert in self.view.alerts(READS)] == [READ]

        self.until(
            told,
            f"one alert of {READ} reads",
            now=lambda: f"alerts of {[a['count'] for a in self.view.alerts(READS)]} reads",
        )
        story = self.view.alerts(READS)[0]["story"]
        took = time.monotonic() - began
        owner.delete_bucket_policy(Bucket=bucket)
        self.until_stands(id, "resolved", "passed", "resolved")
        return f"alert after {took:.1f} s: {len(story)} reads from {story[0]['from']}"

    def bucket_deleted(self) -> str:
        """a bucket is deleted → removed from the latest view, in the history as resource_deleted"""
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
