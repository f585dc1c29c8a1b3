"""Detections: Sigma rules, parsed by pySigma, as closures over an event; and Sigma correlations. Pure."""

from pipeline.detections.load import Detections, load
from pipeline.detections.match import View
from pipeline.detections.rule import Detection

__all__ = ["Detection", "Detections", "View", "load"]
