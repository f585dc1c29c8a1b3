"""What differs between two configurations. Pure."""

from typing import Any


def differences(path: str, before: Any, after: Any, out: list[dict[str, Any]]) -> None:
    """Adds {path, before, after} for every leaf, or list, that differs."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            differences(f"{path}.{key}", before.get(key), after.get(key), out)
    else:
        out.append({"path": path, "before": before, "after": after})
