"""Forward tickets to Jira. One issue for each ticket, kept equal to it until people change it."""

import time
from typing import TYPE_CHECKING

from driftline.pipeline.records.topics import TICKETS, Topic
from driftline.sinks.jira.settings import JiraSettings
from driftline.sinks.module import SinkContext

if TYPE_CHECKING:
    from driftline.sinks.tickets.destination import Destination

kind = "jira"
Settings = JiraSettings
topics: tuple[Topic, ...] = (TICKETS,)
references = True


def destination(settings: JiraSettings, context: SinkContext) -> "Destination":  # noqa: ARG001 - as every module of tickets
    """Connects nothing yet."""
    from driftline.sinks.jira.client import JiraClient
    from driftline.sinks.jira.destination import Jira

    return Jira(settings, JiraClient(settings, time.time))
