"""A validation as JSON, and back, exactly: from_json(to_json(v)) == v.

JSON has no nan and no infinity; both are written as null. So that nothing is lost, `infinite` lists the
places (JSON pointers into `validation`) where a null, or a nan of `provenance`, stands for one of them. The
format is published as schemas/report.schema.json.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args, get_origin

from portable.errors import ModelError, suggestion
from portable.validation.verdicts import Validation

VERSION = 1


def to_json(v: Validation) -> dict[str, Any]:
    """Dicts, lists, texts and numbers. `verdict` and `exit_code` are there for readers; from_json finds them
    again by itself.
    """
    lost: dict[str, str] = {}
    data = _plain(v, "", lost, Validation)
    return {
        "portable_report": VERSION,
        "verdict": v.verdict,
        "exit_code": v.exit_code,
        "validation": data,
        "infinite": lost,
    }


def from_json(document: Any) -> Validation:
    """The validation of a document. ModelError names the place, the rule and the remedy."""
    if not isinstance(document, Mapping) or "portable_report" not in document:
        raise ModelError(
            "", "this is no report: it has no 'portable_report'", "pass the content of a report.json"
        )
    if document["portable_report"] != VERSION:
        raise ModelError(
            "portable_report",
            f"is version {document['portable_report']!r}, and this program reads {VERSION}",
            "use the version of portable that wrote it",
        )
    lost = {
        k: {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[x]
        for k, x in document.get("infinite", {}).items()
    }
    made = _typed(Validation, document.get("validation"), "", lost)
    assert isinstance(made, Validation)
    return made


def _plain(x: Any, at: str, lost: dict[str, str], hint: Any) -> Any:
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        own = hints(type(x))
        return {
            f.name: _plain(getattr(x, f.name), f"{at}/{f.name}", lost, own[f.name])
            for f in dataclasses.fields(x)
        }
    if isinstance(x, Mapping):
        return {
            str(k): _plain(value, f"{at}/{_escaped(str(k))}", lost, _inner(hint)) for k, value in x.items()
        }
    if isinstance(x, tuple | list):
        return [_plain(value, f"{at}/{i}", lost, _inner(hint)) for i, value in enumerate(x)]
    if isinstance(x, bool) or x is None or isinstance(x, str):
        return x
    if isinstance(x, numbers.Integral):
        return int(x)
    if isinstance(x, numbers.Real):
        if math.isfinite(x):
            return float(x)
        if math.isinf(x) or hint is not float:
            lost[at] = str(float(x))
        return None
    if hasattr(x, "item") and getattr(x, "ndim", None) == 0:
        return _plain(x.item(), at, lost, hint)
    raise ModelError(
        at.strip("/").replace("/", "."),
        f"is {x!r}, which JSON cannot hold",
        "use texts, numbers, lists and mappings",
    )


def _inner(hint: Any) -> Any:
    """The type of what a tuple or mapping of that type holds."""
    inside = get_args(hint)
    return inside[-1] if get_origin(hint) is Mapping and len(inside) == 2 else inside[0] if inside else Any


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


@cache
def hints(kind: type) -> dict[str, Any]:
    """Field -> type of a record."""
    return typing.get_type_hints(kind)


def _typed(hint: Any, x: Any, at: str, lost: Mapping[str, float]) -> Any:
    """A value of that type from plain data."""
    if at in lost and x is None:
        return lost[at]
    origin, inside = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _record(hint, x, at, lost)
    if origin is Mapping:
        return {
            k: _typed(inside[1], value, f"{at}/{_escaped(k)}", lost) for k, value in _of(dict, x, at).items()
        }
    if origin is tuple:
        kinds = [inside[0]] * len(_of(list, x, at)) if inside[-1] is Ellipsis else list(inside)
        if len(kinds) != len(x):
            raise ModelError(
                _dotted(at), f"has {len(x)} values, expected {len(kinds)}", "look at the published schema"
            )
        return tuple(_typed(k, value, f"{at}/{i}", lost) for i, (k, value) in enumerate(zip(kinds, x)))
    if origin is types.UnionType:
        return None if x is None else _typed(inside[0], x, at, lost)
    if hint is Any:
        return _any(x, at, lost)
    if hint is float:
        return math.nan if x is None else float(_of((int, float), x, at))
    return _of(hint, x, at)


def _any(x: Any, at: str, lost: Mapping[str, float]) -> Any:
    if isinstance(x, Mapping):
        return {k: _typed(Any, value, f"{at}/{_escaped(k)}", lost) for k, value in x.items()}
    return [_typed(Any, value, f"{at}/{i}", lost) for i, value in enumerate(x)] if isinstance(x, list) else x


def _record(kind: Any, x: Any, at: str, lost: Mapping[str, float]) -> Any:
    data, known = _of(dict, x, at), hints(kind)
    for name in data:
        if name not in known:
            raise ModelError(_dotted(at), f"has an unknown field '{name}'", suggestion(name, known))
    for f in dataclasses.fields(kind):
        if (
            f.name not in data
            and f.default is dataclasses.MISSING
            and f.default_factory is dataclasses.MISSING
        ):
            raise ModelError(_dotted(at), f"has no '{f.name}'", "look at the published schema")
    return kind(**{name: _typed(known[name], value, f"{at}/{name}", lost) for name, value in data.items()})


def _of(kind: Any, x: Any, at: str) -> Any:
    wrong = not isinstance(x, kind) or (isinstance(x, bool) and kind is not bool)
    if wrong:
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ModelError(_dotted(at), f"is {x!r:.60}, expected {names}", "look at the published schema")
    return x


def _dotted(at: str) -> str:
    return "validation" + at.replace("/", ".")
