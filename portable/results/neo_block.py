"""Results as a neo.Block: spike trains and signals with units, ready for elephant and for neo's file
formats.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import neo
import numpy as np
import quantities as pq

from portable.results.synapses import SynapseTable
from portable.results.tables import Results, TraceTable


def block(results: Results) -> neo.Block:
    """One block with one segment: a SpikeTrain (ms) per recorded cell, an AnalogSignal per recorded variable
    of cells, and of the connections of a projection (an IrregularlySampledSignal where they were not looked
    at in equal intervals).

    Trains are annotated with `population` and `source_id` (the position in the population); signals have one
    channel a cell, with the array annotation `channel_ids`; those of connections one channel a connection,
    annotated with `projection` and `variable`, and with the arrays `sources` and `targets`, positions in the
    projection's sides. The block's annotations are numbers and text, as
    neo's file formats keep them (of a dictionary NIX keeps the keys, of a list of one its item): `provenance`
    and `sizes` are JSON, `approximations` one a line; `session_start_time` is when the run began.
    """
    segment = neo.Segment(name=results.network, description=f"{results.duration:g} ms on {results.backend}")
    stop = results.duration * pq.ms
    for name, table in results.spikes.items():
        for cell, times in zip(table.recorded, table.trains(), strict=True):
            train = neo.SpikeTrain(
                times,
                units=pq.ms,
                t_start=0.0 * pq.ms,
                t_stop=stop,
                name=f"{name}[{cell}]",
                population=name,
                source_id=int(cell),
            )
            segment.spiketrains.append(train)
    for (name, variable), trace in results.traces.items():
        if trace.values.size:
            segment.analogsignals.append(_signal(name, variable, trace))
    for (projection, variable), recorded in results.synapses.items():
        if recorded.values.size:
            signal = _connections(projection, variable, recorded)
            even = isinstance(signal, neo.AnalogSignal)
            (segment.analogsignals if even else segment.irregularlysampledsignals).append(signal)
    whole = neo.Block(name=results.network, description=f"{results.network} on {results.backend}")
    whole.segments.append(segment)
    whole.annotate(
        backend=results.backend,
        dt=results.dt,
        duration=results.duration,
        sizes=json.dumps(dict(results.sizes)),
        approximations="\n".join(
            f"{a.where}: {a.asked} -> {a.got}: {a.reason}" for a in results.approximations
        ),
        provenance=json.dumps(dict(results.provenance), default=_plain),
    )
    if began := results.provenance.get("began"):  # NWB asks for it
        whole.rec_datetime = datetime.fromisoformat(began)
        whole.annotate(session_start_time=whole.rec_datetime)
    return whole


def _signal(population: str, variable: str, trace: TraceTable) -> neo.AnalogSignal:
    spacing = float(trace.steps[1] - trace.steps[0]) * trace.dt if trace.steps.size > 1 else trace.dt
    return neo.AnalogSignal(
        trace.values,
        units=_unit(trace.unit),
        sampling_period=spacing * pq.ms,
        t_start=float(trace.times[0]) * pq.ms,
        name=f"{population}.{variable}",
        population=population,
        variable=variable,
        array_annotations={"channel_ids": np.asarray(trace.ids)},
    )


def _connections(
    projection: str, variable: str, t: SynapseTable
) -> neo.AnalogSignal | neo.IrregularlySampledSignal:
    about: dict[str, Any] = {
        "units": _unit(t.unit),
        "name": f"{projection}.{variable}",
        "projection": projection,
        "variable": variable,
        "array_annotations": {"sources": np.asarray(t.sources), "targets": np.asarray(t.targets)},
    }
    gaps = np.diff(t.steps)
    if not np.all(gaps == gaps[:1]):
        return neo.IrregularlySampledSignal(t.times * pq.ms, t.values, **about)
    spacing = float(gaps[0]) * t.dt if gaps.size else t.dt
    return neo.AnalogSignal(
        t.values, sampling_period=spacing * pq.ms, t_start=float(t.times[0]) * pq.ms, **about
    )


# Coherent units without a name in `quantities`, in units that it has, with factor 1.
_NAMES = {"1": pq.dimensionless, "fC": pq.pA * pq.ms, "GOhm": pq.mV / pq.pA}
_BASE = {
    "ng": pq.mV * pq.pA * pq.ms**3 / pq.um**2,
    "um": pq.um,
    "ms": pq.ms,
    "pA": pq.pA,
    "K": pq.K,
    "amol": pq.mM * pq.um**3,
    "cd": pq.cd,
}


def _unit(text: str) -> pq.Quantity:
    """A coherent unit as `quantities` has it, so that values stay as they are."""
    if text in _NAMES:
        return _NAMES[text]
    try:
        return pq.Quantity(1.0, text)
    except LookupError:
        whole = pq.dimensionless
        for symbol, exponent in re.findall(r"(ng|um|ms|pA|K|amol|cd)\*\*(-?\d+)", text):
            whole = whole * _BASE[symbol] ** int(exponent)
        return whole


def _plain(value: Any) -> Any:
    """numpy numbers as numbers, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
