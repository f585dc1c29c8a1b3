"""Detections: Sigma rules, parsed by pySigma and compiled to closures over an event; and Sigma correlations. Pure."""

from driftline.pipeline.detections.load import DetectionSet, load
from driftline.pipeline.detections.rule import Detection
from driftline.pipeline.detections.values import EventView

__all__ = ["Detection", "DetectionSet", "EventView", "load"]
