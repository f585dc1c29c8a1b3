"""Detections: Sigma rules, parsed by pySigma, as closures over an event; and Sigma correlations. Pure."""

from driftline.pipeline.detections.load import Detections, load
from driftline.pipeline.detections.rule import Detection
from driftline.pipeline.detections.values import View

__all__ = ["Detection", "Detections", "View", "load"]
