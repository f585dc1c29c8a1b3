"""Common base of the demo's steps."""

from collections import Counter

from driftline.pipeline.demo.audit import Recorder, to_bus, user
from driftline.pipeline.demo.estate import REGIONS
from driftline.pipeline.demo.patience import Patience
from driftline.pipeline.demo.stage import Check, Stage
from driftline.pipeline.demo.tail import Sweeps
from driftline.pipeline.demo.truth import BLOCK, SSH, told_twice, wrong
from driftline.pipeline.model import finding_id

CULPRIT = "mallory"


class Scene(Patience):
    """The organization, as changed by its administrators, and its view in Elasticsearch."""

    def __init__(self, stage: Stage, watch: Check) -> None:
        super().__init__(watch, stage.probe)
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

    def stands(self, id: str, status: str, evaluation: str) -> bool:
        document = self.view.finding(id)
        return bool(
            document
            and document["driftline"]["status"] == status
            and document["result"]["evaluation"] == evaluation
        )

    def named(self, id: str) -> str | None:
        """Who caused the opening of a finding."""
        document = self.view.finding(id)
        actor = (document or {}).get("driftline", {}).get("actor") or {}
        return actor.get("name")

    def changed(self, key: tuple[str, str], status: str) -> str:
        """Changes the expected result; returns the finding's id."""
        self.estate.truth[key] = status
        return finding_id(*key)

    def bucket(self, account: str, number: int, rule: str = BLOCK) -> tuple[str, str]:
        return rule, f"arn:aws:s3:::{self.estate.bucket(account, number)}"

    def standing(self, id: str) -> str:
        """The current state of a finding, for messages."""
        document = self.view.finding(id)
        if document is None:
            return f"no document {id}"
        own = document["driftline"]
        return f"{document['rule']['id']} {own['status']} ({own['reason']}), {document['result']['evaluation']}"

    def until_stands(self, id: str, status: str, evaluation: str, what: str) -> float:
        """Waits until a finding has a state; returns how long it took. Raises NotSeen."""
        return self.until(
            lambda: self.stands(id, status, evaluation), what, now=lambda: self.standing(id)
        )

    def whole(self) -> None:
        """Waits until all findings are as expected. Raises RuntimeError if one opened or ended twice, or exists in two
        documents."""
        self.until_none(lambda: wrong(self.estate.truth, self.view.documents()), "all as it must be")  # fmt: skip
        if twice := told_twice(self.view.history()):
            raise RuntimeError(f"written twice: {'; '.join(twice[:3])}")
        documents = Counter((document.rule, document.uid) for document in self.view.documents())
        if doubled := [rule for (rule, _), count in documents.items() if count > 1]:
            raise RuntimeError(f"in several documents: {', '.join(doubled[:3])}")
