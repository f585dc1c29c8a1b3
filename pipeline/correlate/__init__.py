"""Correlations: matches of detections over time, within one group, become alerts. Pure."""

from driftline.pipeline.correlate.compiled import CompiledCorrelation
from driftline.pipeline.correlate.group import Group
from driftline.pipeline.detections.windows import Hit, Spec

__all__ = ["CompiledCorrelation", "Group", "Hit", "Spec"]
