"""Correlations: matches of rules over time, in one group, become alerts. Pure."""

from pipeline.correlate.group import Correlation, Group
from pipeline.correlate.windows import Hit, Spec

__all__ = ["Correlation", "Group", "Hit", "Spec"]
