"""The published JSON Schema of report.json, made from the records. `python -m
portable.validation.report.schema` writes it anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from portable.validation import verdicts
from portable.validation.report.document import VERSION, hints
from portable.validation.verdicts import (
    DIFFERENT,
    EQUIVALENT,
    IDENTICAL,
    LEVELS,
    NO_ANSWER,
    OPEN,
    VERDICTS,
    Validation,
)

FILE = Path(verdicts.__file__).parents[1] / "schemas" / "report.schema.json"
_ANSWERS = [IDENTICAL, EQUIVALENT, DIFFERENT, OPEN, NO_ANSWER]
_SCALARS: dict[Any, dict[str, Any]] = {
    float: {"type": ["number", "null"]},
    int: {"type": "integer"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    Any: {},
}


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, strict: what it does not name is not allowed."""
    found: dict[str, dict[str, Any]] = {}
    _record(Validation, found)
    found["Validation"]["properties"]["answers"]["additionalProperties"] = {"enum": _ANSWERS}
    found["LevelVerdict"]["properties"]["level"] = {"enum": list(LEVELS)}
    for record in found.values():
        if "verdict" in record["properties"]:
            record["properties"]["verdict"] = {"enum": list(VERDICTS)}
    properties = {
        "portable_report": {"description": "Version of this format.", "const": VERSION},
        "verdict": {"description": "The worst answer of all backends.", "enum": _ANSWERS},
        "exit_code": {
            "description": "0 identical or equivalent, 1 different or undecided, 2 not comparable or could "
            "not run.",
            "enum": [0, 1, 2],
        },
        "validation": {"$ref": "#/$defs/Validation"},
        "infinite": {
            "description": "Where a null stands for an infinity, or in provenance for a nan: JSON pointers "
            "into validation.",
            "type": "object",
            "additionalProperties": {"enum": ["inf", "-inf", "nan"]},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:portable-snn:report-1.schema.json",
        "title": "portable validation report, version 1",
        "description": "What a validation across simulators found. A null in place of a number is a nan: "
        "not known, or nothing to measure.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": dict(sorted(found.items())),
    }


def _record(kind: Any, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if kind.__name__ not in found:
        found[kind.__name__] = {}  # a place for what refers to it
        types_ = hints(kind)
        found[kind.__name__] = {
            "description": " ".join((inspect.getdoc(kind) or "").split()),
            "type": "object",
            "properties": {f.name: _shape(types_[f.name], found) for f in dataclasses.fields(kind)},
            "required": [f.name for f in dataclasses.fields(kind)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _shape(hint: Any, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    origin, inside = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _record(hint, found)
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _shape(inside[1], found)}
    if origin is tuple and inside[-1] is Ellipsis:
        return {"type": "array", "items": _shape(inside[0], found)}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [_shape(x, found) for x in inside],
            "items": False,
            "minItems": len(inside),
        }
    if origin is types.UnionType:
        return {"anyOf": [_shape(x, found) for x in inside if x is not type(None)] + [{"type": "null"}]}
    return dict(_SCALARS[hint])


if __name__ == "__main__":
    FILE.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
