"""Checks the paths of a row against botocore's service models: a path that no answer has is an error before any call is made."""

from collections.abc import Iterator, Mapping
from functools import cache

from driftline.collectors.aws.row import Detail, Kind, RowCall, Tags
from driftline.collectors.aws.shapes import output_of, shape_of
from driftline.collectors.path_shapes import ANY, NoSuchPath, Shape, shape_at, steps_at
from driftline.collectors.rows.paths import holes_of

Problem = tuple[tuple[str | int, ...], str]
"""The place in the row, and what is wrong there."""
STANDS = {"account": "string", "partition": "string", "region": "string"}
PAIRS = {"Key", "Value"}


def problems(kind: Kind) -> list[Problem]:
    """Every path of a row that names nothing in the answers of its calls."""
    return list(_Check(kind).run())


class _Check:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.found: list[Problem] = []
        self.parts: dict[str, Shape] = {}

    def run(self) -> list[Problem]:
        kind = self.kind
        item = self._listed()
        holes = {"fields": STANDS | {"item": item}}
        for key in ("skip", "region", "name"):
            self._path((key,), getattr(kind, key), holes)
        holes = {"fields": holes["fields"] | {"name": "string"}}
        self._template(("uid",), kind.uid, holes)
        self._path(("incarnation",), kind.incarnation, holes)
        for number, relation in enumerate(kind.relations):
            self._template(("relations", number, "uid"), relation.uid, holes)
        self._params(("params",), kind.params, holes)
        for number, detail in enumerate(kind.details):
            self._detail(("details", number), detail, holes)
        if kind.tags:
            self._tags(kind.tags, holes)
        self._one()
        for key in ("quiet", "ordered", "redact"):
            for number, path in enumerate(getattr(kind, key)):
                self._steps((key, number), path, {"fields": self.parts})
        return self.found

    def _listed(self) -> Shape:
        """The listed item, with what stands above it and what completes it."""
        kind, row = self.kind, self.kind.listing
        fields: dict[str, Shape] = {}
        if row.under:
            self._params(("list", "under", "params"), row.under.params, {"fields": STANDS})
            above = self._items(("list", "under", "items"), row.under, row.under.items)
            fields |= above.get("fields", {}) if above != ANY else {}
        holes = {"fields": STANDS | ({"parent": {"fields": fields}} if row.under else {})}
        self._params(("list", "params"), row.params, holes)
        item = self._items(("list", "items"), row, row.items)
        if item == ANY or "map" in item:
            self.parts |= {row.part: item} if row.keep else {}
            return item
        fields = fields | item["fields"]
        for number, complete in enumerate(kind.complete):
            place = ("complete", number)
            known = {"fields": STANDS | {"item": {"fields": fields}}}
            self._params((*place, "params"), complete.params or {}, known)
            added = self._path((*place, "value"), complete.value, self._answer(complete))
            if isinstance(added, dict) and "fields" in added:
                fields = added["fields"] | fields
            self._path((*place, "unless"), complete.unless, {"fields": STANDS | {"item": {"fields": fields}}})  # fmt: skip
        for key in ("decode_at", "drop"):
            for number, path in enumerate(getattr(row, key)):
                self._steps(("list", key, number), path, {"fields": fields})
        fields = fields | dict.fromkeys(row.decode_at, ANY)
        if row.keep:
            self.parts[row.part] = {"fields": fields}
        return {"fields": fields}

    def _items(self, place: tuple[str | int, ...], call: RowCall, path: str) -> Shape:
        """One of the items, which are maps."""
        found = self._path(place, path, self._answer(call))
        if found == ANY:
            return ANY
        element = found.get("list") if isinstance(found, dict) else None
        if element == ANY or (isinstance(element, dict) and "list" not in element):
            return element
        self.found.append((place, f"{path!r} gives no list of maps"))
        return ANY

    def _answer(self, call: RowCall) -> Shape:
        return answer_of(call.service or self.kind.service, call.operation)

    def _detail(self, place: tuple[str | int, ...], detail: Detail, holes: Shape) -> None:
        self._path((*place, "given"), detail.given, holes)
        self._params((*place, "params"), detail.params or {}, holes)
        found = self._path((*place, "value"), detail.value, self._answer(detail))
        for key in ("decode_at", "drop") if not detail.decode else ():
            for number, path in enumerate(getattr(detail, key)):
                self._steps((*place, key, number), path, found)
        self.parts[detail.part] = ANY if detail.decode or detail.joined or detail.decode_at else found  # fmt: skip
        if not (each := detail.each):
            return
        element = found.get("list", ANY) if isinstance(found, dict) else ANY
        within = {"fields": holes["fields"] | {"element": element}}
        here = (*place, "each")
        self._path((*here, "only"), each.only, within)
        self._path((*here, "region"), each.region, within)
        self._params((*here, "params"), each.params, within)
        asked = answer_of(each.service or detail.service or self.kind.service, each.operation)
        got = self._path((*here, "value"), each.value, asked)
        got = ANY if each.decode else got
        if each.into is None:
            self.parts[detail.part] = {"map": got}
        elif isinstance(element, dict) and "fields" in element:
            self.parts[detail.part] = {"list": {"fields": element["fields"] | {each.into: got}}}

    def _tags(self, tags: Tags, holes: Shape) -> None:
        if tags.operation:
            self._params(("tags", "params"), tags.params or {}, holes)
            place, path = ("tags", "value"), tags.value
            found = self._path(place, path, answer_of(self.kind.service, tags.operation))
        else:
            place, path = ("tags", "item"), tags.item or ""
            found = self._path(place, tags.item, holes)
        if found == ANY or (isinstance(found, dict) and "map" in found):
            return
        pair = found.get("list") if isinstance(found, dict) else None
        if pair != ANY and not (isinstance(pair, dict) and set(pair.get("fields", ())) >= PAIRS):
            told = "gives neither a map nor a list of {Key, Value} (rename its fields: tags[].{Key: key, Value: value})"
            self.found.append((place, f"{path!r} {told}"))

    def _one(self) -> None:
        one, row = self.kind.one, self.kind.listing
        if one:
            asked = answer_of(row.service or self.kind.service, one.operation or row.operation)
            self._path(("one", "items"), one.items or row.items, asked)

    def _params(
        self, place: tuple[str | int, ...], params: Mapping[str, str], holes: Shape
    ) -> None:
        for name, path in params.items():
            self._path((*place, name), path, holes)

    def _template(self, place: tuple[str | int, ...], template: str, holes: Shape) -> None:
        for path in holes_of(template):
            self._path(place, path, holes)

    def _path(self, place: tuple[str | int, ...], path: str | None, shape: Shape) -> Shape:
        if path is None:
            return ANY
        try:
            return shape_at(path, shape)
        except NoSuchPath as error:
            self.found.append((place, f"{path!r}: {error}"))
            return ANY

    def _steps(self, place: tuple[str | int, ...], path: str, shape: Shape) -> None:
        try:
            steps_at(path, shape)
        except NoSuchPath as error:
            self.found.append((place, f"{path!r}: {error}"))


@cache
def answer_of(service: str, operation: str) -> Shape:
    """The shape of an operation's answer; no field at all where it answers nothing."""
    output = output_of(service, operation)
    return {"fields": {}} if output is None else shape_of(output)


def told(kind: Kind) -> Iterator[str]:
    """The problems as lines: `TYPE PLACE: what`."""
    for place, why in problems(kind):
        yield f"{kind.type} {'.'.join(map(str, place))}: {why}"
