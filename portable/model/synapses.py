"""Synapses that learn: types of plastic synapses, and the synapses that they make.

A rule is text with units, as cells are (`dynamics.synapse`). A weight has the unit of the receptor that it
reaches, so a rule is read once for each unit: there `weight` stands for it, as the name of the state and, in
units, of its unit ("w_max": "weight").
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from portable.dynamics.component import Parameter
from portable.dynamics.synapse import WEIGHT, Rule
from portable.dynamics.synapse_text import rule
from portable.errors import ModelError, suggestion
from portable.frozen import Frozen
from portable.model.values import Value, extremes, value
from portable.units import shift, unit

CHECKED = "nA"  # the unit with which a type is read before it meets a receptor


@dataclass(frozen=True, eq=False)
class SynapseType:
    """A type of plastic synapses; calling it makes one: pt.VogelsSprekeler(weight=0.1, delay=1.0, eta=0.01).
    `definition` is the text that it is read from.
    """

    name: str
    definition: Mapping[str, Any]
    description: str = ""
    source: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    def rule(self, weight_unit: str = "") -> Rule:
        """The rule for weights of that unit; left out, of the only one that it is for, or nA."""
        return _rule(self, weight_unit or self.definition.get("weight_unit") or CHECKED)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """By name; the unit of weights is shown as "weight"."""
        return {p.name: p for p in self.rule().parameters}

    def __call__(
        self,
        weight: Any = 0.0,
        delay: Any = 1.0,
        *,
        dendritic_delay_fraction: float = 1.0,
        initial: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> PlasticSynapse:
        """Make a synapse: a weight to begin with, a delay, and parameters, each a number, one per connection,
        or a distribution. `initial`: of other states of the connections. dendritic_delay_fraction: the part
        of the delay after which a spike of the target is seen (1: NEST; the rest passes before a spike of
        the source is).

        ModelError on an unknown or missing parameter.
        """
        return PlasticSynapse(
            self, weight, delay, Frozen(parameters), Frozen(initial or {}), dendritic_delay_fraction
        )

    def extended(self, name: str, **changes: Any) -> SynapseType:
        """Another rule that differs in some arguments of synapse_type; its parameters are added.

        pt.STDP.extended("Mine", parameters={"sum": "weight"}, every=("1 s", "weight *= sum/incoming"))
        """
        text = {**self.definition, **changes}
        text["parameters"] = {**self.definition["parameters"], **changes.get("parameters", {})}
        about = {k: getattr(self, k) for k in ("description", "source", "aliases") if k not in changes}
        return synapse_type(name, **{**about, **text})

    def __repr__(self) -> str:
        return f"SynapseType({self.name!r}: {', '.join(self.parameters)})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SynapseType) and self.name == other.name and self.definition == other.definition
        )

    def __hash__(self) -> int:
        return hash(self.name)


@functools.lru_cache(maxsize=256)
def _rule(kind: SynapseType, weight_unit: str) -> Rule:
    text = dict(kind.definition)
    own = f"({weight_unit})" if re.search(r"[*/ ]", weight_unit) else weight_unit

    def bound(given: Any) -> Any:
        return re.sub(rf"\b{WEIGHT}\b", own, given) if isinstance(given, str) else given

    text["parameters"] = {n: bound(v) for n, v in text["parameters"].items()}
    for place in ("pre_traces", "post_traces", "equations", "signal_traces"):
        text[place] = "\n".join(_lines(text.get(place, ""), bound))
    text.pop("weight_unit", None)
    return rule(
        kind.name,
        weight_unit=weight_unit,
        description=kind.description,
        source=kind.source,
        aliases=kind.aliases,
        **text,
    )


def _lines(text: str, bound: Any) -> list[str]:
    """The unit of each line, behind its last colon, with `weight` replaced."""
    out = []
    for line in text.splitlines():
        head, colon, tail = line.split("#")[0].rpartition(":")
        out.append(f"{head}{colon}{bound(tail)}" if colon else tail)
    return out


@dataclass(frozen=True, init=False)
class PlasticSynapse:
    """A plastic synapse of a projection. Values are as given until the projection says what unit weights
    have (`typed`).
    """

    type: SynapseType
    weight: Any
    delay: Any
    parameters: Mapping[str, Any]
    initial: Mapping[str, Any]
    dendritic_delay_fraction: float
    weight_unit: str = ""

    def __init__(
        self,
        type: SynapseType,
        weight: Any,
        delay: Any,
        parameters: Mapping[str, Any],
        initial: Mapping[str, Any],
        dendritic_delay_fraction: float = 1.0,
        weight_unit: str = "",
    ) -> None:
        known, own = type.parameters, [s.name for s in type.rule().own]
        for name in parameters:
            if name not in known:
                raise ModelError(
                    f"{type.name}.{name}", "is no parameter of this rule", suggestion(name, known)
                )
        for name, p in known.items():
            if name not in parameters and p.default is None:
                raise ModelError(f"{type.name}.{name}", "has no default and no value was given", "give it")
        for name in initial:
            if name not in own:
                raise ModelError(
                    f"{type.name}.initial['{name}']",
                    "is no state of a connection",
                    suggestion(name, own) if own else "this rule has none but the weight",
                )
        f = dendritic_delay_fraction
        if isinstance(f, bool) or not isinstance(f, (int, float)) or not 0.0 <= f <= 1.0:
            raise ModelError(
                f"{type.name}.dendritic_delay_fraction",
                f"must be between 0 and 1, got {f!r}",
                "1: the whole delay is dendritic, as in NEST",
            )
        for name, given in (
            ("type", type), ("weight", weight), ("delay", delay), ("parameters", Frozen(parameters)),
            ("initial", Frozen(initial)), ("dendritic_delay_fraction", float(f)),
            ("weight_unit", weight_unit),
        ):  # fmt: skip
            object.__setattr__(self, name, given)

    @property
    def rule(self) -> Rule:
        """The rule, for the weights of its projection."""
        return self.type.rule(self.weight_unit)

    def typed(self, weight: Value, delay: Value, own: str, path: str) -> PlasticSynapse:
        """The same with every value read; weights are in `own`. ModelError names the value under `path`."""
        fixed = self.type.definition.get("weight_unit", "")
        if fixed and fixed != own:
            raise ModelError(
                f"{path}.synapse",
                f"'{self.type.name}' is for weights in {fixed}, and the receptor's are in {own}",
                "connect to a receptor of that unit",
            )
        read = self.type.rule(own)
        parameters: dict[str, Value] = {}
        for p in read.parameters:
            where = f"{path}.{p.name}"
            parameters[p.name] = value(self.parameters.get(p.name, p.default), p.unit, where)
            _signed(p, parameters[p.name], where)
        units = {s.name: s.unit for s in read.own}
        initial = {n: value(v, units[n], f"{path}.initial['{n}']") for n, v in self.initial.items()}
        return PlasticSynapse(
            self.type, weight, delay, parameters, initial, self.dendritic_delay_fraction, own
        )

    def __hash__(self) -> int:
        return hash((self.type, tuple(sorted(self.parameters))))

    def __repr__(self) -> str:
        given = {"weight": self.weight, "delay": self.delay, **self.parameters}
        if self.dendritic_delay_fraction != 1.0:
            given["dendritic_delay_fraction"] = self.dendritic_delay_fraction
        return f"{self.type.name}({', '.join(f'{k}={v}' for k, v in given.items())})"


def _signed(p: Parameter, given: Value, path: str) -> None:
    low = extremes(given)[0]
    if low == -float("inf"):  # a distribution without bound: resolve looks at what is drawn
        return
    if (p.positive and low <= 0) or (p.nonnegative and low < 0):
        own = shift(low, -unit(p.unit).coherent_power)
        raise ModelError(
            path, f"must be {'>' if p.positive else '>='} 0 {p.unit}, got {own:g}", "give a positive value"
        )


def synapse_type(
    name: str,
    *,
    parameters: Mapping[str, Any],
    pre_traces: str = "",
    post_traces: str = "",
    equations: str = "",
    signal_traces: str = "",
    on_signal: str = "",
    on_pre: str = "",
    on_post: str = "",
    after_pre: str = "",
    after_post: str = "",
    sends: str = WEIGHT,
    every: tuple[Any, str] | None = None,
    bounds: tuple[str | None, str | None] = (None, None),
    initial: Mapping[str, str] | None = None,
    positive: tuple[str, ...] = (),
    nonnegative: tuple[str, ...] = (),
    weight_unit: str = "",
    description: str = "",
    source: str = "",
    aliases: Mapping[str, str] | None = None,
) -> SynapseType:
    """A rule of plasticity of your own, units checked. The library's rules are made by this, too.

    pre_traces, post_traces: states of the source and of the target, "dx/dt = -x/tau_plus : 1"; they are 0
    before the first spike. equations: states of each connection, "de/dt = -e/tau_e : 1", or "seen : 1" for
    one that no equation moves; and derived variables "k = expr : unit". Each state decays by itself,
    exactly: dx/dt = -x/tau or (x_0 - x)/tau.
    signal_traces, on_signal: a third factor, one for all connections: states of it, "dn/dt = -n/tau_n : 1",
    and what a spike of the projection's `signal` population does to them ("n += 1") and to the connections
    ("weight += eta*e"), before the handlers of the same instant. With "dweight/dt = e*(n - b) : weight"
    under equations the weight drifts, exactly, by a sum of products of states that decay to 0.
    on_pre, on_post: what a spike of the source and of the target does to the weight and the connection's
    states, "weight += a_plus*w_max*x". They read traces as they are before the spikes of the same instant.
    At one instant on_post comes before on_pre, and then what the receptor gets is read: `sends`, "weight*u".
    after_pre, after_post: what the spike does to its side's traces, after all that: "x += 1" (all pairs) or
    "x = 1" (nearest).
    random(x) in handlers and `sends` is drawn from [0, x), binomial(n, p) is the successes of n trials:
    functions of the seed, the two cells and the instant, the same on every backend.
    every: ("100 ms", "weight *= w_sum/incoming"), what is done to all connections at the multiples of an
    interval; `incoming` and `outgoing` are the sums of the projection's weights onto the same target and from
    the same source.
    bounds: ("w_min", "w_max") or ("0", "w_max"), within which each assignment keeps the weight; None: none.
    parameters: {"tau_plus": "20 ms", "eta": 0.01, "w_max": "weight"}; the unit `weight` is that of the
    receptor (nA, uS, mV). weight_unit: the only one that the rule is for, if it is.
    initial: of states of connections, {"u": "U"}. positive, nonnegative: parameters that must be.

        stdp = pt.synapse_type("Stdp", parameters={"tau": "20 ms", "a": 0.01, "w_max": "weight"},
            pre_traces="dx/dt = -x/tau : 1", post_traces="dy/dt = -y/tau : 1",
            on_post="weight += a*w_max*x", on_pre="weight -= 1.05*a*w_max*y",
            after_pre="x += 1", after_post="y += 1", bounds=("0", "w_max"))

    Raises ModelError that quotes the line. Nothing is executed.
    """
    path = f"synapse_type '{name}'"
    texts = {
        "pre_traces": pre_traces, "post_traces": post_traces, "equations": equations,
        "signal_traces": signal_traces, "on_signal": on_signal, "on_pre": on_pre, "on_post": on_post,
        "after_pre": after_pre, "after_post": after_post, "sends": sends,
    }  # fmt: skip
    for place, text in texts.items():
        if not isinstance(text, str):
            raise ModelError(f"{path}.{place}", f"must be text, got {text!r}", "write statements")
    if not sends.strip():
        raise ModelError(f"{path}.sends", "is empty, so nothing would be sent", 'write "weight"')
    if not isinstance(parameters, Mapping):
        raise ModelError(
            f"{path}.parameters", f"expected a mapping, got {parameters!r}", 'write {"tau": "20 ms"}'
        )
    for group in (positive, nonnegative):
        for n in group:
            if n not in parameters:
                raise ModelError(f"{path}.positive", f"'{n}' is no parameter", suggestion(n, parameters))
    definition = {
        "parameters": Frozen(parameters),
        **{k: v for k, v in texts.items() if v},
        **({"every": tuple(every) if isinstance(every, list) else every} if every is not None else {}),
        "bounds": tuple(bounds) if isinstance(bounds, list) else bounds,
        "initial": Frozen(initial or {}),
        "positive": tuple(positive),
        "nonnegative": tuple(nonnegative),
        "weight_unit": weight_unit,
    }
    kind = SynapseType(name, Frozen(definition), description, source, Frozen(aliases or {}))
    read = kind.rule()  # errors show now
    plain: dict[str, Any] = {
        "parameters": Frozen({p.name: _plain(parameters[p.name], p) for p in read.parameters})
    }
    if read.every is not None and every is not None and type(every[0]) not in (str, int, float):
        plain["every"] = (str(read.every.interval), every[1])
    return replace(kind, definition=Frozen({**definition, **plain}))


def _plain(given: Any, p: Parameter) -> Any:
    """A default as a document holds it: text or a number."""
    if p.default is None or type(given) in (str, int, float):
        return given
    return p.default.value if p.unit == "1" else str(p.default)
