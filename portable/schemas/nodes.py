"""Nodes whose fields say what they hold (portable.model.fields): their entry in the document format, and how
they are read from it and written to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portable.model.fields import (
    REQUIRED,
    Amount,
    Count,
    Field,
    Flag,
    Fraction,
    Positions,
    Series,
    Trains,
    Values,
    declared,
    meaning,
)
from portable.model.values import Array, Clipped, Lognormal, Normal, Uniform, Value
from portable.schemas import shape
from portable.schemas.shape import Either, Key, Kind, ListOf, Number, Obj, Scalar, Tagged
from portable.units import Quantity

Data = dict[str, Any]


def optional(kind: Kind, description: str, default: Any = None) -> Key:
    return Key(kind, description, False, default)


ARRAY = Obj(
    "Array",
    "One number per cell or per connection.",
    {
        "unit": optional(
            shape.Text(example='"mV"'),
            "The unit of all values; left out, the unit that the field has by itself.",
        ),
        "values": Key(ListOf(Number()), "The numbers, in order."),
    },
    tag="Array",
)
_BOUNDS = {
    "low": optional(Scalar(), "Smallest value; values below are drawn again, or moved to it with clip."),
    "high": optional(Scalar(), "Largest value."),
    "clip": optional(shape.Flag(), "Move values outside to the bound, instead of drawing them again.", False),
}
UNIFORM = Obj(
    "Uniform",
    "Uniform distribution on [low, high).",
    {"low": Key(Scalar(), "Smallest value."), "high": Key(Scalar(), "Largest value.")},
    tag="Uniform",
)
NORMAL = Obj(
    "Normal",
    "Normal distribution.",
    {"mean": Key(Scalar(), "Mean."), "sd": Key(Scalar(), "Standard deviation."), **_BOUNDS},
    tag="Normal",
)
LOGNORMAL = Obj(
    "Lognormal",
    "Lognormal distribution, by the mean and standard deviation of the result.",
    {
        "mean": Key(Scalar(), "Mean of the resulting values."),
        "sd": Key(Scalar(), "Standard deviation of the resulting values."),
        **_BOUNDS,
    },
    tag="Lognormal",
)
CLIPPED = Obj("Clipped", "Another distribution, its values moved to [low, high].", {
    "of": Key(Tagged((UNIFORM, NORMAL, LOGNORMAL)), "The distribution."),
    "low": optional(Scalar(), "Smallest value."), "high": optional(Scalar(), "Largest value."),
}, tag="Clipped")  # fmt: skip
VALUE = Either(
    "a quantity, a list of them, an array or a distribution",
    '"20 ms"',
    Scalar(),
    ListOf(Scalar()),
    Tagged((ARRAY, UNIFORM, NORMAL, LOGNORMAL, CLIPPED)),
    name="Value",
)
TRAIN = Either("a list of times", "[1.0, 2.5]", None, ListOf(Scalar()), Tagged((ARRAY,)))

KINDS: Mapping[type[Field], Kind] = {
    Flag: shape.Flag(),
    Count: Number(minimum=0, whole=True),
    Fraction: Number(0, 1),
    Positions: ListOf(Number(minimum=0, whole=True)),
    Amount: Scalar(),
    Values: VALUE,
    Series: TRAIN,
    Trains: ListOf(TRAIN, 1),
}


def entry(kind: type) -> Obj:
    """What a document says of a class of nodes; `type` is its name."""
    keys = {
        name: Key(
            KINDS[type(d.field)],
            d.field.meaning,
            d.default is REQUIRED,
            None if d.default is REQUIRED else d.default,
        )
        for name, d in declared(kind).items()
    }
    return Obj(kind.__name__, meaning(kind), keys, tag=kind.__name__)


DISTRIBUTIONS: Mapping[str, Callable[..., Any]] = {
    "Uniform": Uniform,
    "Normal": Normal,
    "Lognormal": Lognormal,
    "Clipped": Clipped,
}


def read_value(data: Any) -> Any:
    """What the model's constructors take: numbers and texts as they are, arrays and distributions as
    nodes.
    """
    if not isinstance(data, dict):
        return data
    if data["type"] == "Array":
        return Array(data["values"], data["unit"]) if "unit" in data else data["values"]
    return DISTRIBUTIONS[data["type"]](**{k: read_value(v) for k, v in data.items() if k != "type"})


def read(kind: type, data: Mapping[str, Any]) -> Any:
    """The node that a checked document describes. ModelError where the node minds what is said."""
    fields = declared(kind)
    return kind(**{k: _read(fields[k].field, v) for k, v in data.items() if k != "type"})


def _read(field: Field, data: Any) -> Any:
    match field:
        case Count():
            return int(data)  # 3.0 is a whole number
        case Trains():
            return tuple(map(read_value, data))
        case Amount():
            return read_value(data)
    return data


def write(node: Any, **units: str) -> Data:
    """The document's object of a node; what is None is left out. `units` are of fields whose unit is not
    their own: the weight's.
    """
    out: Data = {"type": type(node).__name__}
    for name, d in declared(type(node)).items():
        value = getattr(node, name)
        if value is not None:
            out[name] = _write(d.field, value, units.get(name, getattr(d.field, "unit", "")))
    return out


def _write(field: Field, value: Any, unit: str) -> Any:
    match field:
        case Trains():
            return [write_value(t, unit) for t in value]
        case Amount():
            return write_value(value, unit)
        case Positions():
            return [int(i) for i in value.values]
    return value


def write_quantity(q: Quantity, default_unit: str) -> Any:
    """ "20.0 ms"; a plain number where both units are 1."""
    if q.unit == "1":
        return q.value if default_unit == "1" else f"{q.value!r} 1"
    return str(q)


def write_value(v: Value, unit: str) -> Any:
    """A quantity, array or distribution; `unit` is what a plain number would mean there."""
    match v:
        case Quantity():
            return write_quantity(v, unit)
        case Array():
            return {"type": "Array", "unit": v.unit, "values": v.values.tolist()}
        case Uniform():
            return {
                "type": "Uniform",
                "low": write_quantity(v.low, unit),
                "high": write_quantity(v.high, unit),
            }
        case Normal() | Lognormal():
            base = {
                "type": type(v).__name__,
                "mean": write_quantity(v.mean, unit),
                "sd": write_quantity(v.sd, unit),
            }
            return {**base, **_bounds(v, unit), **({"clip": True} if v.clip else {})}
        case Clipped():
            return {"type": "Clipped", "of": write_value(v.of, unit), **_bounds(v, unit)}


def _bounds(v: Uniform | Normal | Lognormal | Clipped, unit: str) -> Data:
    return {k: write_quantity(b, unit) for k, b in (("low", v.low), ("high", v.high)) if b is not None}
