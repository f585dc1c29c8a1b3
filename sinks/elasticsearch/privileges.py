"""The minimum Elasticsearch privileges."""

from typing import Any

from driftline.sinks.elasticsearch.alert_documents import index
from driftline.sinks.elasticsearch.drift import stream
from driftline.sinks.elasticsearch.render import ALIAS, history_stream


def privileges(namespace: str) -> dict[str, Any]:
    """The Elasticsearch roles for the sink, the installation, and readers."""
    latest, history = [ALIAS, f"{ALIAS}-v*"], [history_stream(namespace), stream(namespace)]
    return {
        "driftline_sink": {
            "cluster": ["monitor"],
            "indices": [
                {"names": latest, "privileges": ["read", "write", "view_index_metadata"]},
                {
                    "names": history,
                    "privileges": ["create_doc", "auto_configure", "view_index_metadata"],
                },
                {
                    "names": [index(namespace)],
                    "privileges": ["write", "auto_configure", "view_index_metadata"],
                },
            ],
        },
        "driftline_install": {
            "cluster": ["monitor", "manage_index_templates"],
            "indices": [
                {
                    "names": [*latest, *history, index(namespace)],
                    "privileges": ["manage", "read", "write"],
                }
            ],
        },
        "driftline_reader": {
            "cluster": [],
            "indices": [{"names": [*latest, *history, index(namespace)], "privileges": ["read"]}],
        },
    }
