"""Small networks that spike, for the tests of the validation."""

from __future__ import annotations

import portable as pt


def balanced(cells: int = 100, name: str = "balanced", **cell: str) -> pt.Network:
    """Excitatory and inhibitory leaky cells with Poisson drive, delays from one step on; about 20 Hz."""
    kind = pt.IF_curr_exp(
        **{"tau_m": "20 ms", "tau_syn_E": "2 ms", "tau_syn_I": "4 ms", "tau_refrac": "2 ms", **cell}
    )
    exc = pt.Population("exc", round(0.8 * cells), kind, initial={"v": pt.Uniform(-65, -50)})
    inh = pt.Population("inh", cells - exc.size, kind, initial={"v": pt.Uniform(-65, -50)})
    noise = {
        p.name: pt.Population(f"noise_{p.name}", p.size, pt.SpikeSourcePoisson(rate="2 kHz"))
        for p in (exc, inh)
    }  # NEST can draw these itself
    up = pt.StaticSynapse(weight=pt.Normal("220 pA", "20 pA", low=0), delay=pt.Uniform("0.1 ms", "2 ms"))
    down = pt.StaticSynapse(weight="-600 pA", delay="0.8 ms")
    projections = [
        pt.Projection(exc, [exc, inh], pt.FixedProbability(0.1), up),
        pt.Projection(inh, [exc, inh], pt.FixedProbability(0.2), down, receptor="inhibitory"),
        *(
            pt.Projection(noise[p.name], p, pt.OneToOne(), pt.StaticSynapse("220 pA", "0.5 ms"))
            for p in (exc, inh)
        ),
    ]
    return pt.Network(
        name,
        [exc, inh, *noise.values()],
        projections,
        recordings=[pt.Record(exc, "spikes"), pt.Record(inh, "spikes")],
    )


def kicked(strength: str = "300 Hz") -> pt.Network:
    """Cells that spike in the first 20 ms only: silent at the end."""
    cells = pt.Population("cells", 20, pt.IF_curr_exp())
    noise = pt.Population("kick", 20, pt.SpikeSourcePoisson(rate=strength, duration="20 ms"))
    return pt.Network(
        "kicked",
        [cells, noise],
        [pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse("20 nA", "0.1 ms"))],
        recordings=[pt.Record(cells, "spikes")],
    )


def plastic(synapse: object = None, recorded: bool = False, name: str = "plastic") -> pt.Network:
    """Cells that fire at some 40 Hz, with connections that learn from sources and among themselves."""
    cells = pt.Population(
        "cells", 20, pt.IF_curr_exp(i_offset=0.4, tau_refrac=2.0), initial={"v": pt.Uniform(-65, -50)}
    )
    noise = pt.Population("noise", 20, pt.SpikeSourcePoisson(rate=900.0))
    few = pt.Population("few", 15, pt.SpikeSourcePoisson(rate=40.0))
    learns = synapse or stdp()
    forward = pt.Projection(few, cells, pt.FixedInDegree(12), learns, name="forward")
    back = pt.Projection(cells, cells, pt.FixedProbability(0.4), learns, name="back")
    first = pt.Projection(noise, cells, pt.OneToOne(), pt.StaticSynapse("150 pA", 1.0))
    records = [pt.Record(forward, "weight", "10 ms"), pt.Record(back, "weight", "10 ms")] if recorded else []
    return pt.Network(
        name, [cells, noise, few], [first, forward, back], recordings=[pt.Record(cells, "spikes"), *records]
    )


def stdp(kind: object = pt.STDP, **parameters: object) -> object:
    """A synapse that learns, between 0 and 200 pA, with delays of 0.3 to 4 ms."""
    given = {"w_max": "200 pA", **parameters}
    return kind(pt.Uniform("20 pA", "180 pA"), pt.Uniform("0.3 ms", "4 ms"), **given)
