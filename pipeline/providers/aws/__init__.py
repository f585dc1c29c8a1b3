"""Amazon Web Services."""

import re
from importlib.resources import files

from driftline.pipeline.common.durations import HOUR, MINUTE
from driftline.pipeline.providers.aws.canonical import CANONICAL
from driftline.pipeline.providers.aws.identities import IDENTITIES
from driftline.pipeline.providers.aws.names import NAMES
from driftline.pipeline.providers.provider import AuditLog, Provider, SessionPolicy, Settling, Verbs

AWS = Provider(
    "aws",
    "AWS",
    # S3's log files and lookups have no promise: AWS says about five and fifteen minutes (design 4.16)
    AuditLog(
        "aws",
        "cloudtrail",
        catalogued=True,
        request=lambda change: change.raw.get("requestParameters"),
        fields="driftline.pipeline.rulebook.aws.audit_events:FIELDS",
        only_reads=lambda event: event.get("readOnly") in (True, "true"),
        lateness={"eventbridge": 120.0, "log": 1200.0, "lookup": 1200.0, "config": 1200.0},
    ),
    types=files("driftline.rules") / "types" / "aws.json",
    canonical=CANONICAL,
    names=NAMES,
    verbs=Verbs(
        re.compile("Add|Attach|Authorize|Tag|CreateTags"),
        re.compile("Revoke|Detach|Remove|Disassociate|Delete|Untag|Deregister|Unassign"),
    ),
    identities=IDENTITIES,
    # the longest session lasts 36 h (GetFederationToken, GetSessionToken)
    sessions=SessionPolicy(lifetime=36 * HOUR, hides_callers=True),
    settling=Settling(list_lag=5 * MINUTE),
    vouched_tools=("cloudformation", "service"),
    functions="driftline.pipeline.rulebook.aws.functions:FUNCTIONS",
    sample_uids=("arn:aws:example:::example", "arn:aws:other:::other"),
)
