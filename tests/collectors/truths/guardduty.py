"""A region without GuardDuty, and one where it has no plans."""

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth
from tests.collectors.truths.watch import PLANS

TYPES = {"AWS::GuardDuty::RegionSettings"}
# the plans are the module `watch`'s
NEVER_FAILED = {f"guardduty-region-{plan}" for plan in PLANS}
NEVER_PASSED = NEVER_FAILED


def build(moto: Moto) -> Truth:
    moto.client("guardduty").create_detector(Enable=True)
    return {"guardduty@us-east-1": set(), "guardduty@eu-west-1": {"guardduty-region-enabled"}}
