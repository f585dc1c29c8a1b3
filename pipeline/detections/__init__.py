"""Detections: Sigma rules, parsed by pySigma, as closures over an event; and Sigma correlations. Pure."""

from pipeline.detections.load import Detections, load
from pipeline.detections.rule import Detection
from pipeline.detections.values import View

__all__ = ["Detection", "Detections", "View", "load"]
