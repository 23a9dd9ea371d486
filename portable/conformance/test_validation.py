"""A validation of every backend against the native engine: the same spikes, and the rows of a backend that
cannot run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import portable as pt
from portable.backends import registry
from portable.validation import validate
from portable.validation.verdicts import CELLS, COMPARABLE, IDENTICAL, NETWORK, PASS, SPIKES


def network() -> pt.Network:
    """Twenty leaky cells in two populations with drive, weights and delays that vary."""
    kind = pt.IF_curr_exp(tau_m="20 ms", tau_syn_E="2 ms", tau_syn_I="4 ms", tau_refrac="2 ms")
    exc, inh = (
        pt.Population(n, size, kind, initial={"v": pt.Uniform(-65, -50)})
        for n, size in (("exc", 16), ("inh", 4))
    )
    noise = pt.Population("noise", 20, pt.SpikeSourcePoisson(rate="2 kHz"))
    up = pt.StaticSynapse(weight=pt.Normal("220 pA", "20 pA", low=0), delay=pt.Uniform("0.1 ms", "2 ms"))
    projections = [
        pt.Projection(exc, [exc, inh], pt.FixedProbability(0.5), up),
        pt.Projection(
            inh,
            [exc, inh],
            pt.FixedProbability(0.5),
            pt.StaticSynapse("-600 pA", "0.8 ms"),
            receptor="inhibitory",
        ),
        pt.Projection(noise, [exc, inh], pt.OneToOne(), up),
    ]
    return pt.Network(
        "twenty",
        [exc, inh, noise],
        projections,
        recordings=[pt.Record(exc, "spikes"), pt.Record(inh, "spikes")],
    )


@pytest.mark.needs(
    "cells.linear",
    "cells.refractory",
    "cells.heterogeneous",
    "receptors.jump",
    "synapses.static",
    "sources.poisson.frozen",
    "record.spikes",
)
def test_validated_against_native(backend: str, method: str, tmp_path: Path) -> None:
    if short := pt.check(network(), backend):
        raise pt.UnsupportedError(backend, short)
    if backend == registry.DEFAULT:
        pytest.skip("the reference of the comparison")
    v = validate(
        network(), (registry.DEFAULT, backend), 1, "80 ms", integrator=method, power="none", cache=tmp_path
    ).validation
    assert v.answers == {backend: IDENTICAL}, repr(v)
    verdicts = {x.level: x.verdict for x in v.levels}
    assert all(verdicts[n] == PASS for n in (COMPARABLE, NETWORK, CELLS, SPIKES)), repr(v)
    assert sum(sum(r.spikes.values()) for r in v.runs) > 20
    assert {c.backend for c in v.cells} == {registry.DEFAULT, backend}
    # both integrate alike: of the same order, whichever it is; float32 records leave its third digit open
    one, two = (c.order for c in v.cells)
    assert one == two or abs(one - two) < 0.05
