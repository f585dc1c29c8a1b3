"""Drift: which change caused what became different. Pure."""
