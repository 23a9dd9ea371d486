"""`portable rules`: the library's rules of plasticity, as they are written."""

from __future__ import annotations

from typing import Any

from portable.cli import text
from portable.dynamics.component import Parameter
from portable.errors import ModelError, suggestion
from portable.library.meanings import meaning
from portable.library.plasticity import SYNAPSES
from portable.model.synapses import SynapseType
from portable.units import unit

# What a rule says, in the order in which it acts.
_SAID = (
    "signal_traces", "pre_traces", "post_traces", "equations", "on_signal", "on_post", "on_pre", "sends",
    "after_post", "after_pre",
)  # fmt: skip


def rules(*, word: str, as_json: bool) -> int:
    """All of them, or one in full."""
    if word and word not in SYNAPSES:
        raise ModelError(word, "is no rule of the library", suggestion(word, SYNAPSES))
    chosen = [SYNAPSES[word]] if word else list(SYNAPSES.values())
    if as_json:
        text.as_json({"version": 1, "rules": [described(kind) for kind in chosen]})
    elif word:
        report(chosen[0])
    else:
        rows = [(k.name, k.aliases.get("NEST", ""), k.aliases.get("PyNN", ""), k.description) for k in chosen]
        text.table(("rule", "NEST", "PyNN", "what it does"), rows)
        text.say("portable rules STDP shows one in full; pt.synapse_type makes your own, from text like that")
    return 0


def described(kind: SynapseType) -> dict[str, Any]:
    """A rule as plain data."""
    return {
        "name": kind.name,
        "description": kind.description,
        "source": kind.source,
        "aliases": dict(kind.aliases),
        "parameters": {
            p.name: {
                "unit": _unit(p),
                "default": None if p.default is None else p.default.value,
                "meaning": meaning(p.name),
            }
            for p in kind.parameters.values()
        },
        **{place: kind.definition[place] for place in _SAID if place in kind.definition},
        **({"every": list(kind.definition["every"])} if "every" in kind.definition else {}),
        "bounds": list(kind.definition["bounds"]),
        "initial": dict(kind.definition["initial"]),
    }


def report(kind: SynapseType) -> None:
    """A rule for people."""
    text.heading(kind.name)
    text.say(kind.description)
    text.say(f"source: {kind.source}")
    if kind.aliases:
        text.say("; ".join(f"in {where}: {name}" for where, name in kind.aliases.items()))
    text.say()
    rows = [
        (p.name, "-" if p.default is None else f"{p.default.value:g}", _unit(p), f"{meaning(p.name)}.")
        for p in kind.parameters.values()
    ]
    text.table(("parameter", "default", "unit", ""), rows)
    text.say("Traces are of the source (pre) and the target (post), equations of each connection. At one")
    text.say("instant on_post acts first, then on_pre; then it is read what is sent, and traces jump.")
    third = kind.rule().signal
    if third:
        text.say("signal=POPULATION of the projection is a third factor, whose spikes act before all these.")
    text.say()
    for place in _SAID:
        for i, line in enumerate(_lines(kind, place)):
            text.say(f"  {place if not i else '':13}  {line}")
    if "every" in kind.definition:
        interval, done = kind.definition["every"]
        text.say(f"  {'every':13}  {interval}: {done}")
    low, high = kind.definition["bounds"]
    if (low, high) != (None, None):
        text.say(f"  {'bounds':13}  {low or 'none'} to {high or 'none'}, of the weight")
    if kind.definition["initial"]:
        start = ", ".join(f"{s} = {x}" for s, x in kind.definition["initial"].items())
        text.say(f"  {'initial':13}  {start}")
    needed = "".join(f", {p.name}=..." for p in kind.parameters.values() if p.default is None)
    signal = ", signal=..." if third else ""
    text.say(f"\npt.Projection(pre, post, connector, pt.{kind.name}(weight=..., delay=...{needed}){signal})")


def _lines(kind: SynapseType, place: str) -> list[str]:
    said = str(kind.definition.get(place, ""))
    parts = said.split(";") if place.startswith(("on_", "after_")) else said.splitlines()
    return [line.strip() for line in parts if line.strip()]


def _unit(p: Parameter) -> str:
    """Of weights: "weight", which is nA, uS or mV as the receptor has it."""
    current = unit("nA").dimension
    return "weight" if unit(p.unit).dimension == current else "" if p.unit == "1" else p.unit
