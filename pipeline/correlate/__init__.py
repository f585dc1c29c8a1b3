"""Correlations: matches of rules over time, in one group, become alerts. Pure."""

from pipeline.correlate.group import Correlation, Group, Step, hit, pass_time
from pipeline.correlate.windows import Hit, Spec

__all__ = ["Correlation", "Group", "Hit", "Spec", "Step", "hit", "pass_time"]
