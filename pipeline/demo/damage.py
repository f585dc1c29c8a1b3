"""Demo steps in which something fails: a permission, a worker, Elasticsearch."""

from datetime import UTC, datetime

from driftline.pipeline.demo.estate import BLOCKED
from driftline.pipeline.demo.scene import Scene
from driftline.pipeline.demo.tail import Findings
from driftline.pipeline.demo.truth import VERSIONS, Shown, moved

BUCKET = "AWS::S3::Bucket"


class Damage(Scene):
    """What breaks."""

    def _buckets(self) -> list[Shown]:
        return [d for d in self.view.documents() if d.type == BUCKET and d.account == self.account]

    def permission_lost(self) -> str:
        """the collector loses a permission → unknown, nothing closed; permission restored → known"""
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
        """a worker is killed with SIGKILL during a sweep → nothing lost, nothing duplicated"""
        before = self.view.documents()
        places = [(account, number) for account in self.estate.accounts for number in (0, 6)]
        self._block(places[::2])
        read, scopes = self._kill_in_mid_sweep()
        self._block(places[1::2])
        ids = [self.changed(self.bucket(*place), "resolved") for place in places]
        self.until(lambda: all(self.stands(id, "resolved", "passed") for id in ids), "all resolved")
        self.whole()
        if lost := moved(before, self.view.documents(), ids):
            raise RuntimeError(f"findings have changed: {'; '.join(lost[:3])}")
        return f"at {read} of {scopes} scopes; none lost or twice"

    def _kill_in_mid_sweep(self) -> tuple[int, int]:
        """How many scopes had been read when the worker died, and the total.

        Other scopes of the same sweep must have finished later: otherwise no sweep was in progress, and the step repeats."""
        scopes, known = self.sweeps.scopes(), set(self.sweeps.look())
        while True:
            self.until(lambda: set(self.sweeps.look()) != known, "a new sweep")
            running = next(id for id in self.sweeps.headers if id not in known)
            known.add(running)
            read, at = len(self.sweeps.headers[running]), datetime.now(UTC)
            if read >= scopes:
                continue  # it is already complete
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
                "evaluated while Elasticsearch is down",
            )
        finally:
            findings.close()
        self.stage.elastic.child.start()
        self.until(self.stage.elastic.healthy, "Elasticsearch to be back")
        self.stage.elastic_rests = False
        took = self.until(
            lambda: all(self.stands(id, "resolved", "passed") for id in ids), "all arrived"
        )
        self.whole()
        return f"evaluated meanwhile, arrived {took:.1f} s later"
