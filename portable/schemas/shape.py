"""The kinds of value that a document can hold: each checks a value and writes its own JSON Schema.

One table of these (`schemas.table`) is both the reader's rules and the published schema, so the two cannot
drift apart. `check` raises ModelError with the path in the document, the rule, the value and the remedy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from portable.errors import ModelError, suggestion

Schema = dict[str, Any]
QUANTITY = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?(\s*[^0-9\s].*|\s*1/.*|\s+1)?$"


class Kind(Protocol):
    """Something a document may hold."""

    def check(self, value: Any, path: str) -> None:
        """Raise ModelError if the value is not of this kind."""

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        """JSON Schema of this kind; named parts are put into `defs`."""


def shown(value: Any) -> str:
    """A value for an error message: what it is, and no more than a line of it."""
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = (
        {None: "null", True: "true", False: "false"}.get(value)
        if value is None or isinstance(value, bool)
        else repr(value)
    )
    assert text is not None
    return text if len(text) <= 50 else text[:47] + "..."


def wrong(path: str, rule: str, value: Any, example: str) -> ModelError:
    return ModelError(path, f"must be {rule}, got {shown(value)}", f"write for example {example}")


def is_number(value: Any) -> bool:
    """A finite number that fits a float64; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True)
class Text:
    """Text, of a pattern where one is given."""

    pattern: str = ""
    example: str = '"exc"'
    rule: str = "text"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, str) or (self.pattern and not re.search(self.pattern, value)):
            raise wrong(path, self.rule, value, self.example)

    def schema(self, _defs: dict[str, Schema], /) -> Schema:
        return {"type": "string", **({"pattern": self.pattern} if self.pattern else {})}


@dataclass(frozen=True)
class Const:
    """One of a few fixed values."""

    values: tuple[Any, ...]

    def check(self, value: Any, path: str) -> None:
        if isinstance(value, (bool, Mapping, list)) or value not in self.values:
            known = [v for v in self.values if isinstance(v, str)]
            raise ModelError(path, f"unknown value {shown(value)}", suggestion(str(value), known))

    def schema(self, _defs: dict[str, Schema], /) -> Schema:
        return {"const": self.values[0]} if len(self.values) == 1 else {"enum": list(self.values)}


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, bool):
            raise wrong(path, "true or false", value, "true")

    def schema(self, _defs: dict[str, Schema], /) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A number in a range; `whole` for counts."""

    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False

    def check(self, value: Any, path: str) -> None:
        low, high = (
            -math.inf if self.minimum is None else self.minimum,
            math.inf if self.maximum is None else self.maximum,
        )
        if not is_number(value) or not low <= value <= high or (self.whole and value != math.floor(value)):
            bounds = (
                ""
                if self.minimum is None
                else f" >= {self.minimum}"
                if self.maximum is None
                else f" between {self.minimum} and {self.maximum}"
            )
            raise wrong(
                path, ("a whole number" if self.whole else "a number") + bounds, value, str(self.minimum or 0)
            )

    def schema(self, _defs: dict[str, Schema], /) -> Schema:
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return {
            "type": "integer" if self.whole else "number",
            **{k: v for k, v in limits.items() if v is not None},
        }


@dataclass(frozen=True)
class Scalar:
    """A quantity: "20 ms", or a plain number in the unit that the thing has by itself. With `or_unit`, a unit
    alone will do.
    """

    or_unit: bool = False

    def check(self, value: Any, path: str) -> None:
        if isinstance(value, str) and (self.or_unit or re.search(QUANTITY, value)):
            return
        if not is_number(value):
            raise wrong(path, "a number or a quantity", value, '"20 ms"')

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        if self.or_unit:
            return {"type": ["number", "string"]}
        defs.setdefault(
            "Quantity",
            {
                "description": 'A quantity with its unit ("20 ms", "0.1 nA", "1/ms"), or a plain number in '
                "the unit that this field has by itself.",
                "anyOf": [{"type": "number"}, {"type": "string", "pattern": QUANTITY}],
            },
        )
        return {"$ref": "#/$defs/Quantity"}


def _plain(kind: Number | Scalar, values: list[Any]) -> bool:
    """Whether all are plain numbers that `kind` takes; False says only that each must be looked at."""
    kinds = set(map(type, values))
    if not values or not kinds <= {int, float}:
        return False
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "if" or not np.isfinite(numbers.sum(dtype=np.float64)):
        return False
    if isinstance(kind, Scalar):
        return True
    if (kind.minimum is not None and numbers.min() < kind.minimum) or (
        kind.maximum is not None and numbers.max() > kind.maximum
    ):
        return False
    return not kind.whole or kinds == {int} or bool(np.all(numbers == np.floor(numbers)))


@dataclass(frozen=True)
class ListOf:
    """A list of one kind; long lists of plain numbers are checked at once."""

    of: Kind
    at_least: int = 0

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong(path, "a list", value, "[...]")
        if len(value) < self.at_least:
            raise ModelError(
                path,
                f"must have at least {self.at_least} entr{'y' if self.at_least == 1 else 'ies'}, got "
                f"{len(value)}",
                "add one",
            )
        if isinstance(self.of, (Number, Scalar)) and _plain(self.of, value):
            return
        for i, item in enumerate(value):
            self.of.check(item, f"{path}[{i}]")

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        return {
            "type": "array",
            "items": self.of.schema(defs),
            **({"minItems": self.at_least} if self.at_least else {}),
        }


@dataclass(frozen=True)
class MapOf:
    """An object whose keys the author chooses."""

    of: Kind
    example: str = "{...}"

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "an object", value, self.example)
        for key, item in value.items():
            self.of.check(item, f"{path}.{key}")

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        return {"type": "object", "additionalProperties": self.of.schema(defs)}


@dataclass(frozen=True)
class Key:
    """A key of an object: what it holds and means; `default` is for the reader of the schema."""

    kind: Kind
    description: str
    required: bool = True
    default: Any = None


@dataclass(frozen=True)
class Obj:
    """An object with known keys. `one_of` names keys of which exactly one must be there. `tag` is the value
    of its `type`. `rest`: what keys of any other name hold. `only_with`: keys that stand beside another
    only.
    """

    name: str
    description: str
    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()
    tag: str = ""
    rest: Kind | None = None
    only_with: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(
                path,
                "an object",
                value,
                "{" + ", ".join(f'"{k}": ...' for k, v in self.keys.items() if v.required) + "}",
            )
        known = self._keys()
        for key in value:
            if key not in known and self.rest is not None and isinstance(key, str):
                self.rest.check(value[key], joined(path, key))
            elif key not in known:
                raise ModelError(joined(path, key), "unknown key", suggestion(key, known))
        for key, entry in known.items():
            if key in value:
                entry.kind.check(value[key], joined(path, key))
            elif entry.required:
                raise ModelError(
                    joined(path, key),
                    "is missing",
                    f"add it: {entry.description[0].lower()}{entry.description[1:]}",
                )
        found = [k for k in self.one_of if k in value]
        if self.one_of and len(found) != 1:
            raise ModelError(
                path,
                f"must have exactly one of {' and '.join(self.one_of)}, got "
                f"{' and '.join(found) or 'neither'}",
                "keep one of them" if found else "add one of them",
            )
        for key, other in self.only_with.items():
            if key in value and other not in value:
                raise ModelError(joined(path, key), f"goes with {other}, which is not here", f"add {other}")

    def _keys(self) -> Mapping[str, Key]:
        return {"type": Key(Const((self.tag,)), "What this is."), **self.keys} if self.tag else self.keys

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        if self.name not in defs:
            entry: Schema = defs.setdefault(
                self.name, {"title": self.name, "description": self.description, "type": "object"}
            )
            keys = self._keys()
            entry["properties"] = {
                k: {
                    "description": v.description,
                    **v.kind.schema(defs),
                    **({} if v.default is None else {"default": v.default}),
                }
                for k, v in keys.items()
            }
            entry["required"] = [k for k, v in keys.items() if v.required]
            entry["additionalProperties"] = False if self.rest is None else self.rest.schema(defs)
            if self.one_of:
                entry["oneOf"] = [{"required": [k]} for k in self.one_of]
            if self.only_with:
                entry["dependentRequired"] = {k: [v] for k, v in self.only_with.items()}
        return {"$ref": f"#/$defs/{self.name}"}


@dataclass(frozen=True)
class Tagged:
    """One of several objects, told apart by `type`; any other `type` is `other` where that is given."""

    choices: tuple[Obj, ...]
    other: Obj | None = None
    example: str = field(default='{"type": ...}')

    def check(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "an object", value, self.example)
        table = {c.tag: c for c in self.choices}
        if "type" not in value:
            raise ModelError(
                joined(path, "type"),
                "is missing",
                f"say what it is: {', '.join(table)}{' or a cell type' if self.other else ''}",
            )
        if not isinstance(value["type"], str):
            raise wrong(joined(path, "type"), "text", value["type"], f'"{next(iter(table))}"')
        chosen = table.get(value["type"], self.other)
        if chosen is None:
            raise ModelError(
                joined(path, "type"), f"unknown type {shown(value['type'])}", suggestion(value["type"], table)
            )
        chosen.check(value, path)

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        known = [c.schema(defs) for c in self.choices]
        if self.other is None:
            return {"oneOf": known}
        free = {
            "allOf": [
                self.other.schema(defs),
                {"properties": {"type": {"not": {"enum": [c.tag for c in self.choices]}}}},
            ]
        }
        return {"oneOf": [*known, free]}


@dataclass(frozen=True)
class Either:
    """Told apart by JSON type: a scalar, a list or an object. `name`: of its definition in the schema, which
    otherwise stands wherever it is used.
    """

    rule: str
    example: str
    scalar: Kind | None = None
    items: Kind | None = None
    object: Kind | None = None
    name: str = ""

    def check(self, value: Any, path: str) -> None:
        kind = (
            self.object if isinstance(value, dict) else self.items if isinstance(value, list) else self.scalar
        )
        if kind is None or value is None:
            raise wrong(path, self.rule, value, self.example)
        kind.check(value, path)

    def schema(self, defs: dict[str, Schema], /) -> Schema:
        if not self.name or self.name not in defs:
            kinds = [k.schema(defs) for k in (self.scalar, self.items, self.object) if k is not None]
            if not self.name:
                return {"anyOf": kinds}
            defs[self.name] = {
                "title": self.name,
                "description": f"{self.rule.capitalize()}.",
                "anyOf": kinds,
            }
        return {"$ref": f"#/$defs/{self.name}"}


def joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)
