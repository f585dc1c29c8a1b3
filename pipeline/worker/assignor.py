"""Who gets which partitions: Faust's own way, but never on half of the truth."""

from collections.abc import Callable
from typing import Any, ClassVar

from driftline.pipeline.records.topics import PARTITIONS, Topic
from faust.assignor import PartitionAssignor


class Assignor(PartitionAssignor):
    """A broker that has just started may not name our topics yet. Faust would then assign nothing to anybody, and
    nobody would ever ask again."""

    missing: ClassVar[Callable[[list[str]], None]]
    """Called with the topics that the cluster does not know."""
    needed: ClassVar[tuple[Topic, ...]]

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        """The members' assignments, by the group's leader."""
        unknown = [
            topic.name
            for topic in self.needed
            if len(cluster.partitions_for_topic(topic.name) or ()) != PARTITIONS
        ]
        if unknown:
            type(self).missing(unknown)
        return super().assign(cluster, member_metadata)
