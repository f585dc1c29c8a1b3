"""Drift: detects differences between readings and attributes them to changes. Pure."""
