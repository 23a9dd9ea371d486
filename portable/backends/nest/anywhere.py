"""Generated synapses that sit on any neuron of NEST.

NESTML writes a synapse that learns for one neuron, which is generated with it. Ours keep all traces to
themselves and ask a neuron for nothing but when it spiked, which every neuron of NEST's tells: here the
neuron's name is taken out of what was generated, and NEST's base class put in its place. The neuron that it
was generated with is thrown away. Part of `codegen`, run in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAIRED = "paired_neuron"  # the one that is thrown away
_TEXT = f"""model {PAIRED}:
    state:
        x real = 0.0

    input:
        port <- spike

    output:
        spike

    update:
        x = 0.0
"""
_STATES = re.compile(r"    state:\n((?: {8}.*\n)+)")


def prepare(source: Path) -> Mapping[str, Any]:
    """Options of NESTML's generator for the synapses among the models in a folder, where the neuron is put
    that it needs; {} without synapses.
    """
    texts = {p.stem: p.read_text(encoding="utf-8") for p in sorted(source.glob("portable_*_synapse.nestml"))}
    if not texts:
        return {}
    (source / f"{PAIRED}.nestml").write_text(_TEXT, encoding="utf-8")
    return {
        "neuron_synapse_pairs": [
            {"neuron": PAIRED, "synapses": {name: {"post_ports": ["post_spikes"]}}} for name in texts
        ],
        "weight_variable": dict.fromkeys(texts, "w"),
        "strictly_synaptic_vars": {name: _states(text) for name, text in texts.items()},
    }


def _states(text: str) -> list[str]:
    found = _STATES.search(text)
    return [line.split()[0] for line in found[1].splitlines()] if found else []


def freed(target: Path, module: Path, synapses: Sequence[str]) -> None:
    """Free the generated synapses of the neuron, and the module of that."""
    text = module.read_text(encoding="utf-8")
    for name in synapses:
        pair = f"{name}__with_{PAIRED}"
        header = (target / f"{pair}.h").read_text(encoding="utf-8")
        (target / f"{name}.h").write_text(_without(header, name), encoding="utf-8")
        text = text.replace(pair, name)
    kept = [line for line in text.splitlines() if PAIRED not in line]
    module.write_text("\n".join(kept) + "\n", encoding="utf-8")


def _without(text: str, name: str) -> str:
    """The synapse's header without the neuron; SystemExit where NESTML writes something unknown."""
    neuron = f"{PAIRED}__with_{name}"
    changes = (
        (rf"try\s*{{\s*dynamic_cast<\s*{neuron}&\s*>\(t\);\s*}}\s*catch[^{{]*{{[^}}]*}}", ""),
        (rf"typedef\s+{neuron}\s+post_neuron_t;", ""),
        (rf"static_cast<\s*{neuron}\*\s*>\(\s*get_target\(\s*tid\s*\)\s*\)", "get_target(tid)"),
        (rf"\b{neuron}\*\s*__target", "nest::Node* __target"),
        (rf"\bhistentry__{neuron}\b", "nest::histentry"),
        (r"\bget_history__\(", "get_history("),
    )
    for pattern, new in changes:
        text, found = re.subn(pattern, new, text)
        if not found:
            raise SystemExit(f"this version of NESTML writes synapses in a way that is not known: {pattern}")
    text = text.replace(f"{name}__with_{PAIRED}", name)
    if PAIRED in text:
        raise SystemExit(
            f"this version of NESTML writes synapses in a way that is not known: {PAIRED} is left"
        )
    return text
