"""A YAML file as plain values that still know their lines: for files that people write.

Every scalar stays the text that was written, so a price is exact and 005930 is no number. Uses the safe
reader: a file can only hold mappings, lists and texts.
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from jumun.model.errors import ConfigError

SIZE_MAX: Final = 1024 * 1024  # bytes; some 20,000 prints, which the reader takes seconds for
DEPTH_MAX: Final = 12  # a scenario needs five levels; an alias to its own parent has no end
NULL_TAG: Final = "tag:yaml.org,2002:null"
ROOT: Final = "$"
_AT: Final = re.compile(r" - at `(?P<path>[^`]+)`$")
_STRANGER: Final = re.compile(r"unknown field `(?P<name>[^`]+)`")
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]+)`")
T = TypeVar("T")


class YamlFile:
    """The values of one file, and where each stands. Paths are like `$.prices[0].price`."""

    def __init__(self, name: str, text: str) -> None:
        """Read `text`; raises ConfigError with the line of what is no YAML."""
        self.name = name
        self._lines: dict[str, int] = {}
        try:
            root = YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            raise ConfigError(f"{name} line {line}: no YAML ({error.problem}); correct that line") from error
        except YAMLError as error:
            raise ConfigError(f"{name} is no YAML: {error}; save it as UTF-8 text") from error
        self.values: Any = {} if root is None else self._plain(root, ROOT, 0)
        if not isinstance(self.values, dict):
            raise ConfigError(f"{name} line 1: the file is no mapping; begin with a key such as `seed: 1`")

    @classmethod
    def open(cls, path: Path) -> "YamlFile":
        """Read a file; raises ConfigError."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror}); name a file that exists") from error
        if len(data) > SIZE_MAX:
            raise ConfigError(f"{path} has {len(data)} bytes; at most {SIZE_MAX} are read: split it")
        try:
            return cls(str(path), data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error

    def convert(self, kind: type[T], examples: dict[str, str]) -> T:
        """Return the values as `kind`; raises ConfigError with line, key and a working value."""
        try:
            return msgspec.convert(self.values, kind, strict=False)
        except msgspec.ValidationError as error:
            raise self._wrong(str(error), examples) from error

    def error(self, path: str, problem: str, example: str = "") -> ConfigError:
        """Return the refusal of what stands at `path`."""
        instead = f"; write for example {example}" if example else ""
        return ConfigError(
            f"{self.name} line {self.line_of(path)}: {path.removeprefix('$.')} {problem}{instead}"
        )

    def line_of(self, path: str) -> int:
        """Return the line of a value, or of what it stands in."""
        while path and path not in self._lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._lines.get(path, 1)

    def _wrong(self, text: str, examples: dict[str, str]) -> ConfigError:
        at = _AT.search(text)
        path = at["path"] if at else ROOT
        problem = _AT.sub("", text)
        stranger, missing = _STRANGER.search(text), _MISSING.search(text)
        if stranger:
            close = get_close_matches(stranger["name"], examples, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            path = f"{path}.{stranger['name']}"
            return self.error(path, f"is no key that is known here{meant}")
        if missing:
            name = missing["name"]
            return self.error(path, f"has no {name}", f"{name}: {examples.get(name, '…')}")
        key = path.rpartition(".")[2].partition("[")[0]
        return self.error(path, f"cannot be read ({problem})", f"{key}: {examples.get(key, '…')}")

    def _plain(self, node: Node, path: str, depth: int) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if depth > DEPTH_MAX:
            raise ConfigError(f"{self.name} line {line}: nested more than {DEPTH_MAX} deep; flatten it")
        if isinstance(node, ScalarNode):
            return None if node.tag == NULL_TAG and not node.style else str(node.value)
        if isinstance(node, SequenceNode):
            return [self._plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)]
        assert isinstance(node, MappingNode), "YAML has mappings, sequences and scalars"
        return self._mapping(node, path, depth)

    def _mapping(self, node: MappingNode, path: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise ConfigError(f"{self.name} line {line}: a key is no text; write `key: value`")
            key = str(key_node.value)
            if key in values:
                raise ConfigError(f"{self.name} line {line}: {key} stands there twice; keep one")
            self._lines[f"{path}.{key}"] = line
            values[key] = self._plain(value_node, f"{path}.{key}", depth + 1)
        return values
