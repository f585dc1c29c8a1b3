"""YAML with positions: every error has file, line and column, and no value silently changes its type.

The only way to read YAML that a user, or an untrusted pull request, has written: no aliases (380 bytes of them can
expand to a gigabyte), no tags beyond the types of JSON, limited size and depth."""

import difflib
import math
import re
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any

import yaml

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.files import read_text as read_text

DEEPEST = 64
MOST_NAMES = 20
"""Known names are listed in an error only up to this number."""
MOST_ALIKE = 3
_WORDS = re.compile(r"[a-z0-9]+")
MOST_PROBLEMS = 200
"""Maximum number of problems reported per file. A file of four million bytes can have a million."""
MORE = "further problems are not reported"
MOST_VALUES = 200_000
"""Maximum number of keys and values per file: this many take some seconds."""
MOST_KEYS = 10_000
"""Maximum number of keys per mapping."""
YAML = (".yaml", ".yml")
FOLDER = "name the folder that holds them"
Place = tuple[int, int]
"""Line and column, both from 1."""


class _Enough(Exception):
    """The file exceeds a limit."""


class Source:
    """A YAML file's data, and the position of each of its values."""

    def __init__(
        self,
        path: Path,
        text: str | None = None,
        words: Container[str] | None = None,
        first: int = 1,
    ) -> None:
        """Reads the file. Raises nothing: problems are in `problems`, and `data` is None if it could not be read.

        Where the file may hold secrets, `words` are the only words that a problem may repeat. `first`: the line
        number of the text's first line, if it is part of a file."""
        self.path, self._words, self._first = path, words, first
        self.problems: list[Problem] = []
        self.places: dict[tuple[str | int, ...], Place] = {}
        self._seen: set[int] = set()
        self.data: Any = None
        try:
            text = read_text(path) if text is None else text
            self._lines = text.splitlines()
            loader = _Loader(text)
            try:
                _bounded(text)
                node = loader.get_single_node()
                if node is not None:
                    self.data = self._build(loader, node, ())
            except _Enough as enough:
                self.problems.append(Problem(enough, place=f"{path}:{first}:1"))
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            at = f"{mark.line + first}:{mark.column + 1}" if mark else f"{first}:1"
            self.problems.append(self._told(error).at(f"{path}:{at}"))
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            why: object = error if words is None else _kind(error)
            self.problems.append(Problem(f"cannot be read: {why}", place=f"{path}:1:1"))

    def at(self, *where: str | int) -> str:
        """Returns `path:line:column` of a value, or of the nearest enclosing one."""
        while where not in self.places and where:
            where = where[:-1]
        line, column = self.places.get(where, (self._first, 1))
        return f"{self.path}:{line}:{column}"

    def _told(self, error: yaml.MarkedYAMLError) -> Problem:
        if self._words is None:
            return Problem(error.problem, "write valid YAML 1.2")
        problem = re.sub(r"(['\"]).*\1", "…", str(error.problem), flags=re.DOTALL)
        return Problem(
            problem, "write valid YAML 1.2; text with special characters in 'single quotes'"
        )

    def _build(self, loader: "_Loader", node: yaml.Node, where: tuple[str | int, ...]) -> Any:
        if id(node) in self._seen:
            self._tell(
                Problem(
                    "aliases (*name) are not supported",
                    fix="write the value itself",
                    place=self.at(*where),
                )
            )
            return None
        self._seen.add(id(node))  # the nodes live as long as the tree
        self.places[where] = (node.start_mark.line + self._first, node.start_mark.column + 1)
        if len(where) > DEEPEST:
            self._tell(Problem(f"nested deeper than {DEEPEST}", place=self.at(*where)))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(loader, item, (*where, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            # the text of a block begins on the next line
            self.places[where] = (node.start_mark.line + 1 + self._first, 1 + self._indent(node))
        return self._scalar(_constructed(loader, node), where)

    def _tell(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Enough(MORE)

    def _scalar(self, value: Any, where: tuple[str | int, ...]) -> Any:
        """Returns a value that JSON can represent: a tag (!!timestamp, !!float .nan) can create others."""
        whole = isinstance(value, int) and -(2**63) <= value < 2**64
        if whole or value is None or isinstance(value, str) or (isinstance(value, float) and math.isfinite(value)):  # fmt: skip
            return value
        self._tell(
            Problem(
                "not a text, a 64-bit number, true, false or null",
                fix="write text in 'quotes'",
                place=self.at(*where),
            )
        )
        return None

    def _indent(self, node: yaml.ScalarNode) -> int:
        line = node.start_mark.line + 1
        body = self._lines[line] if line < len(self._lines) else ""
        return len(body) - len(body.lstrip())

    def _mapping(
        self, loader: "_Loader", node: yaml.MappingNode, where: tuple[str | int, ...]
    ) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        if len(node.value) > MOST_KEYS:
            raise _Enough(f"a mapping of more than {MOST_KEYS} keys")
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            scalar = isinstance(key_node, yaml.ScalarNode) and id(key_node) not in self._seen
            self._seen.add(id(key_node))
            key = _constructed(loader, key_node) if scalar else None
            here = f"{self.path}:{mark.line + self._first}:{mark.column + 1}"
            if not isinstance(key, str | int):
                self._tell(
                    Problem(
                        "a key must be text",
                        fix="write a plain word instead of an alias",
                        place=here,
                    )
                )
                continue
            if key in out:
                named = repr(key) if self._words is None or key in self._words else "a name"
                self._tell(Problem(f"{named} is defined twice", fix="keep one of them", place=here))
            self.places[*where, key] = (mark.line + self._first, mark.column + 1)
            out[key] = self._build(loader, value_node, (*where, key))
        return out


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Uses libyaml if available: three hundred rules load in half a second instead of two."""


class _Loader(_Base):  # type: ignore[misc]
    """Safe, and YAML 1.2: only true and false are booleans, only decimal numbers are numbers."""


_TEXT = "tag:yaml.org,2002:str"


def _constructed(loader: _Loader, node: yaml.Node) -> Any:
    """Constructs a scalar. Nearly all are text, for which the constructor's bookkeeping is skipped."""
    return node.value if node.tag == _TEXT else loader.construct_object(node)


def _bounded(text: str) -> None:
    """Raises _Enough if there are too many values, before they are constructed."""
    if (
        sum(map(text.count, "\n,:-?[{")) < MOST_VALUES
    ):  # every value except the first is preceded by one of these
        return
    loader, count = _Loader(text), 0
    try:
        while loader.check_event():
            count += isinstance(loader.get_event(), yaml.NodeEvent)
            if count > MOST_VALUES:
                raise _Enough(f"more than {MOST_VALUES} values and keys (make several files of it)")
    finally:
        loader.dispose()


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp",
                       "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}  # fmt: skip


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_WRITTEN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "bool": (r"^(?:true|false)$", "tf", lambda text: text == "true"),
    "int": (r"^-?(?:0|[1-9][0-9]*)$", "-0123456789", int),
    "float": (r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789", float),
    "null": (r"^(?:~|null|Null|NULL|)$", "~nN", lambda _: None),
}
"""The notation of JSON's values by tag. YAML's other notations (sexagesimal numbers, numbers of two million digits)
can take hours."""


def _made(_: Any, node: yaml.Node) -> Any:
    """Constructs a scalar; NO_VALUE if JSON cannot represent it."""
    pattern, _, make = _WRITTEN.get(node.tag.rpartition(":")[2], ("(?!)", "", None))
    text = node.value
    written = isinstance(node, yaml.ScalarNode) and len(text) <= LONGEST_NUMBER and re.search(pattern, text)  # fmt: skip
    return make(text) if make and written else NO_VALUE


LONGEST_NUMBER = 400
NO_VALUE = object()
for _tag, (_pattern, _first, _) in _WRITTEN.items():
    if _tag != "null":
        _resolver(_tag, _pattern, _first)
_Loader.yaml_constructors = {
    _TEXT: yaml.SafeLoader.yaml_constructors[_TEXT],
    None: _made,
}
_Loader.yaml_multi_constructors = {}


def _kind(error: Exception) -> str:
    """Describes an error without quoting the file."""
    if isinstance(error, OSError):
        return str(error.strerror)
    return "not text in UTF-8, or too deep, or with characters or numbers that YAML does not allow"


def files(
    paths: Iterable[Path], suffixes: Container[str], missing: Callable[[Path], None]
) -> list[Path]:
    """Returns the files with these suffixes below the paths, each once; `missing` is called with each path that does
    not exist."""
    out: dict[Path, Path] = {}  # folders may be named twice, or contain each other
    for path in paths:
        if not path.exists():
            missing(path)
            continue
        found = (p for p in path.rglob("*") if p.suffix in suffixes and not p.is_dir())
        inside = sorted(found) if path.is_dir() else [path]  # reading reports what is not a file
        out |= {one.resolve(): one for one in inside}
    return list(out.values())


def is_empty(path: Path, suffixes: Container[str]) -> bool:
    """Returns whether it is a folder without any file of these suffixes."""
    return path.is_dir() and not files([path], suffixes, lambda _: None)


def require_files(
    paths: Iterable[Path], suffixes: Container[str], what: str, option: str = "", fix: str = FOLDER
) -> None:
    """Raises UserError for folders without any file of these suffixes: an empty folder is a mistake, and looks like one in
    which nothing is wrong. `option`: by which they are named, or empty."""
    empty = [
        Problem(
            f"contains no {what}",
            fix=fix,
            place=f"{option} {path}".strip(),
        )
        for path in paths
        if is_empty(path, suffixes)
    ]
    if empty:
        raise UserError(*empty)


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns `hint` in parentheses, to be appended to a text; empty if there is no hint."""
    found = hint(word, known)
    return f" ({found})" if found else ""


def hint(word: str, known: Iterable[str]) -> str:
    """Returns `did you mean 'x'?`. If no name is spelled similarly: the known names if they are few, otherwise those
    that share most words with it; else nothing."""
    names = sorted(known)
    if close := closest(word, names):
        return f"did you mean {close!r}?"
    if len(names) <= MOST_NAMES:
        return f"known: {', '.join(names)}" if names else ""
    alike = _alike(word, names)
    return f"did you mean {' or '.join(map(repr, alike))}?" if alike else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Returns the name with the most similar spelling; None if there is none."""
    folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), folded, 1, 0.6)
    return folded[found[0]] if found else None


def _alike(word: str, names: Iterable[str]) -> list[str]:
    """Returns the names that share most words with one, shortest first."""
    own = set(_WORDS.findall(word.casefold()))
    shared = {name: len(own & set(_WORDS.findall(name.casefold()))) for name in names}
    most = max(shared.values(), default=0)
    found = [name for name, count in shared.items() if count == most]
    return sorted(found, key=lambda name: (len(name), name))[:MOST_ALIKE] if most else []
