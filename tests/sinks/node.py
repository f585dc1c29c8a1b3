"""An Elasticsearch in memory, as far as the sink needs it: bulk with external versions, and mget."""

from typing import Any

import orjson

from driftline.sinks.elasticsearch.render import ALIAS


class Node:
    """In the client's place. `fault` may answer an operation in its place: a status, or None."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        """Of the latest view, by id."""
        self.versions: dict[str, int] = {}
        """Of those and of what was deleted."""
        self.history: dict[str, dict[str, Any]] = {}
        self.written = 0

    async def bulk(self, *, operations: list[bytes], filter_path: list[str]) -> Any:
        assert filter_path
        items, left = [], iter(operations)
        for text in left:
            [(name, meta)] = orjson.loads(text).items()
            body = None if name == "delete" else orjson.loads(next(left))
            items.append({name: {"status": self._one(name, meta, body)}})
        return {"items": items}

    def _one(self, name: str, meta: dict[str, Any], body: dict[str, Any] | None) -> int:
        id = meta["_id"]
        if name == "create":
            if id in self.history:
                return 409
            self.history[id] = body or {}
            return 201
        assert (meta["_index"], meta["version_type"]) == (ALIAS, "external")
        if id in self.versions and meta["version"] <= self.versions[id]:
            return 409
        self.versions[id] = meta["version"]
        self.written += 1
        if body is None:
            return 200 if self.documents.pop(id, None) else 404
        self.documents[id] = body
        return 200

    async def mget(self, *, index: str, ids: list[str]) -> Any:
        assert index == ALIAS
        return {"docs": [self._get(id) for id in ids]}

    def _get(self, id: str) -> dict[str, Any]:
        if id not in self.documents:
            return {"_id": id, "found": False}
        source = orjson.loads(orjson.dumps(self.documents[id]))
        return {"_id": id, "found": True, "_version": self.versions[id], "_source": source}

    async def close(self) -> None: ...
