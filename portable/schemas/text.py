"""JSON and YAML text to plain data and back. Only data: no tags, no aliases, no code, nothing that grows when
read.

Both readers refuse what the other could not say: duplicate keys, NaN, infinities. YAML is read by its events
with the types of YAML 1.2's core schema, so `on` and `no` are text and `1e-3` is a number, as in JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec
import yaml

from portable.errors import ModelError

MAX_BYTES = (
    256 * 2**20
)  # a document; large arrays of connections are better drawn by a connector than written out
MAX_DEPTH = 40
_Parser: Any = getattr(yaml, "CLoader", yaml.Loader)  # only its events are used: nothing is constructed
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


def read_json(text: str) -> Any:
    """Plain data of a JSON text. ModelError with line and column where it is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        cut = " (the text ends too early)" if not text[error.pos :].strip() else ""
        raise ModelError(
            _at(error.lineno, error.colno),
            f"is no JSON: {error.msg}{cut}",
            "check brackets, commas and quotes there",
        ) from None
    except RecursionError:
        raise ModelError("", "is nested too deeply", "a network needs no more than ten levels") from None
    except ModelError:
        raise
    except ValueError:  # Python reads whole numbers of at most 4300 digits
        raise ModelError(
            "", "has a whole number of thousands of digits", "write it with an exponent"
        ) from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        count = Counter(k for k, _ in pairs)
        twice = next(k for k, n in count.items() if n > 1)
        owner = next((f" of '{out[k]}'" for k in ("id", "name") if k in out), "")
        raise ModelError("", f"the key '{twice}'{owner} is written twice in one object", "keep one of them")
    return out


def _constant(word: str) -> Any:
    raise ModelError("", f"{word} is no number of a document", "give a finite number")


def _at(line: int, column: int) -> str:
    return f"line {line}, column {column}"


def write_json(data: Any) -> str:
    """JSON text: small objects and lists of plain values on one line, others indented. Floats are kept to the
    last bit.
    """
    return "".join(_pretty(data, "")) + "\n"


def _pretty(data: Any, indent: str) -> list[str]:
    if not isinstance(data, (dict, list)) or not data or _small(data):
        return [_inline(data)]
    if isinstance(data, list) and not any(isinstance(v, (dict, list)) for v in data):
        return [msgspec.json.encode(data).decode()]
    deeper, parts = indent + "  ", list[str]()
    for i, item in enumerate(data.items() if isinstance(data, dict) else data):
        key, value = (f"{_inline(item[0])}: ", item[1]) if isinstance(data, dict) else ("", item)
        parts += ["," if i else "", f"\n{deeper}{key}", *_pretty(value, deeper)]
    first, last = "{}" if isinstance(data, dict) else "[]"
    return [first, *parts, f"\n{indent}{last}"]


def _small(data: Any) -> bool:
    """Whether it fits on a line: at most five entries, 110 characters."""
    if isinstance(data, (dict, list)):
        inside = list(data.values()) if isinstance(data, dict) else data
        return len(data) <= 5 and all(_small(v) for v in inside) and len(_inline(data)) <= 110
    return not isinstance(data, str) or len(data) <= 60


def _inline(data: Any) -> str:
    if isinstance(data, dict):
        return "{" + ", ".join(f"{_inline(k)}: {_inline(v)}" for k, v in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(_inline, data)) + "]"
    return msgspec.json.encode(data).decode()


class _Yaml(_Dumper):  # type: ignore[misc]
    """Block style, multi-line text as it is, no anchors, and quotes round text that YAML 1.2 would take for a
    number.
    """

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, data: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


def _object(dumper: Any, data: dict[str, Any]) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=_small(data))


def _list(dumper: Any, data: list[Any]) -> Any:
    return dumper.represent_sequence(
        "tag:yaml.org,2002:seq", data, flow_style=not any(isinstance(v, (dict, list)) for v in data)
    )


_Yaml.add_representer(str, _text)
_Yaml.add_representer(dict, _object)
_Yaml.add_representer(list, _list)
_Yaml.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def write_yaml(data: Any) -> str:
    """YAML text of plain data; what read_yaml gives back is equal to the last bit."""
    return str(yaml.dump(data, Dumper=_Yaml, sort_keys=False, allow_unicode=True, width=140))


def read_yaml(text: str) -> Any:
    """Plain data of a YAML text. ModelError with line and column on bad YAML, tags, anchors, duplicate keys
    or a second document.
    """
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = _at(mark.line + 1, mark.column + 1) if mark else ""
        if "nesting depth" in (
            error.problem or ""
        ):  # newer PyYAML stops by itself, before it hands over what is nested
            raise ModelError(
                where, f"nested more than {MAX_DEPTH} levels deep", "no network needs that"
            ) from None
        raise ModelError(
            where,
            f"is no YAML: {error.problem or error.context}",
            "check indentation, brackets and quotes there",
        ) from None
    except yaml.YAMLError as error:
        raise ModelError(
            "", f"is no YAML: {' '.join(str(error).split())}", "write plain text in UTF-8"
        ) from None


class _Builder:
    """Plain data from YAML events, without recursion. `open` holds the lists and objects not yet closed;
    `key` an object's key in waiting.
    """

    def __init__(self) -> None:
        self.open: list[tuple[Any, list[str]]] = []
        self.result: Any = None
        self.documents = 0

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=_Parser):
            match event:
                case yaml.DocumentStartEvent():
                    self.documents += 1
                    if self.documents > 1:
                        raise self.fail(event, "a second document begins", "write one network per file")
                case yaml.AliasEvent():
                    raise self.fail(event, "aliases (*) are not read", "write the value out")
                case yaml.ScalarEvent():
                    self.checked(event)
                    self.add(self.scalar(event), event)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self.checked(event)
                    fresh: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                    self.add(fresh, event)
                    self.open.append((fresh, []))
                    if len(self.open) > MAX_DEPTH:
                        raise self.fail(
                            event,
                            f"nested more than {MAX_DEPTH} levels deep",
                            "a network needs no more than ten",
                        )
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self.open.pop()
        return self.result

    def fail(self, event: Any, rule: str, remedy: str) -> ModelError:
        return ModelError(_at(event.start_mark.line + 1, event.start_mark.column + 1), rule, remedy)

    def checked(self, event: Any) -> None:
        if event.anchor is not None:
            raise self.fail(
                event, f"anchors (&{event.anchor}) are not read", "write the value out where it is used"
            )
        if event.tag is not None:
            raise self.fail(
                event,
                f"tags ({event.tag}) are not read",
                "write plain values: text, numbers, lists and objects",
            )

    def add(self, value: Any, event: Any) -> None:
        if not self.open:
            self.result = value
            return
        holder, waiting = self.open[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif waiting:
            holder[waiting.pop()] = value
        else:
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fail(event, "a key must be text", "put it in quotes")
            if event.value in holder:
                raise self.fail(
                    event, f"the key '{event.value}' is written twice in one object", "keep one of them"
                )
            waiting.append(event.value)

    def scalar(self, event: Any) -> Any:
        text = event.value
        if not event.implicit[0] or event.style in ("'", '"', "|", ">"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.match(text):
            raise self.fail(event, f"{text} is no number of a document", "give a finite number")
        if _INT.match(text):
            if len(text) > 400:
                raise self.fail(event, "a number of more than 400 digits", "write it with an exponent")
            return int(text)
        return float(text) if _FLOAT.match(text) else text
