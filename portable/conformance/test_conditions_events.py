"""Several conditions in a cell type, and events that read and assign what they like: against counts and sums
done by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

import portable as pt

pytestmark = pytest.mark.needs("record.states")


CROSSING = pt.cell_type(
    "crossing",
    equations="""
        dv/dt = A*cos(6.283185307179586*f*t) : mV
        dup/dt = 0 : 1
        dcount/dt = 0 : 1
    """,
    parameters={"A": "1 mV/ms", "f": "0.1 1/ms", "v_th": "1 mV"},
    conditions=[("v > v_th and up < 0.5", "up = 1; spike; count += 1"), ("v < v_th", "up = 0")],
    integrator="rk4",
)

# Each condition sees what those before it assigned, and derived variables anew; two that spike in one step
# are one spike.
CHAIN = pt.cell_type(
    "chain",
    equations="""
        da/dt = 1/ms : 1
        db/dt = 0 : 1
        dc/dt = 0 : 1
        twice = 2*b : 1
    """,
    parameters={},
    threshold="a > 0.95",
    reset="a = 0; b += 1",
    conditions=[("b > 0.5 and a < 0.05", "b = 0; c = c + twice + b; spike"), ("b > 0.5", "c = 100")],
)

# A port whose updates depend on their order, read derived variables from before the first of them, an
# injected current and the time.
ORDERED = pt.cell_type(
    "ordered",
    equations="""
        dw/dt = 0 : 1
        dg/dt = -g/tau : nS
        dx/dt = -x/tau : 1
        dseen/dt = 0 : nA
        dlast/dt = 0 : ms
        before = w*gbase : nS
        current = i_ext + unlinked : nA
    """,
    parameters={"tau": "10 ms", "a_minus": 0.6, "gbase": "2 nS"},
    events={
        "in": "w = w - a_minus*x; w = w*H(w); g = g + weight*w*gbase; g = g + 10*before; x = x + 1; seen = "
        "current; last = t",
        "up": "w = w + weight; x = x*2",
    },
    weight_units={"in": "1", "up": "1"},
    initial={"w": "1"},
    inputs={"unlinked": "nA"},
)


def run(backend: str, cell: pt.CellType, duration: str, states: list[str]) -> pt.Results:
    population = pt.Population("cell", 3, cell())
    return pt.run(
        pt.Network("conditions", [population], recordings=[pt.Record(population, ["spikes", *states])]),
        backend,
        duration,
    )


@pytest.mark.needs("cells.conditions", "cells.nonlinear", "cells.time", "record.spikes")
def test_conditions_in_order_at_every_step(backend: str) -> None:
    """v = 10/(2 pi) sin(2 pi t/10 ms) mV crosses 1 mV upwards at 1.0808 ms and downwards at 3.9192 ms of each
    period.
    """
    results = run(backend, CROSSING, "50 ms", ["count", "up"])
    np.testing.assert_array_equal(results.spikes["cell"].steps, np.repeat(11 + 100 * np.arange(5), 3))
    assert results.traces["cell", "count"].values[-1].tolist() == [5.0] * 3
    phase = np.arange(501) % 100
    np.testing.assert_array_equal(
        results.traces["cell", "up"].values[:, 0], ((phase >= 11) & (phase < 40)).astype(float)
    )


@pytest.mark.needs("cells.conditions", "cells.linear", "record.spikes")
def test_a_condition_sees_what_those_before_it_assigned(backend: str) -> None:
    """a passes 0.95 every 10 steps: b becomes 1, then 0 again in the next condition, whose derived variable
    still is 2; the third never holds.
    """
    results = run(backend, CHAIN, "5 ms", ["b", "c"])
    np.testing.assert_array_equal(results.spikes["cell"].steps, np.repeat([10, 20, 30, 40, 50], 3))
    np.testing.assert_array_equal(results.traces["cell", "c"].values[:, 0], 2 * (np.arange(51) // 10))
    assert not results.traces["cell", "b"].values.any()


def by_hand(steps: int, dt: float = 0.1) -> dict[str, list[float]]:
    """The cell ORDERED with `in` at steps 20, 20, 40, 60 (weights 3, 3, 3, 3), `up` (0.7) at 40 (after `in`)
    and 80.
    """
    w, g, x, last = 1.0, 0.0, 0.0, 0.0
    out: dict[str, list[float]] = {"w": [w], "g": [g], "x": [x], "last": [last]}
    for k in range(1, steps + 1):
        g, x = g * np.exp(-dt / 10), x * np.exp(-dt / 10)
        for _ in range({20: 2, 40: 1, 60: 1}.get(k, 0)):
            before = w * 2
            w = w - 0.6 * x
            w = w * np.heaviside(w, 0.5)
            g = g + 3 * w * 2 + 10 * before
            x, last = x + 1, k * dt
        if k in (40, 80):
            w, x = w + 0.7, x * 2
        for name, value in (("w", w), ("g", g), ("x", x), ("last", last)):
            out[name].append(value)
    return out


@pytest.mark.parametrize("integrator", ["auto", "rk4"])
@pytest.mark.needs(
    "cells.linear",
    "cells.time",
    "inputs.current",
    "links",
    "receptors.general",
    "sources.trains",
    "synapses.static",
)
def test_events_whose_order_matters(backend: str, integrator: str) -> None:
    cells = pt.Population("cells", 2, ORDERED())
    source = pt.Population("source", 2, pt.SpikeSourceArray([[1.0, 1.0, 3.0, 5.0], [3.0, 7.0]]))
    one = pt.StaticSynapse(3.0, 1.0)
    net = pt.Network(
        "ordered",
        [cells, source],
        [
            pt.Projection(source[1:], cells, pt.AllToAll(), pt.StaticSynapse(0.7, 1.0), "up"),
            pt.Projection(source[:1], cells, pt.AllToAll(), one, "in"),
        ],
        [pt.Injection(pt.DCSource("3 pA"), cells)],
        [pt.Record(cells, ["w", "g", "x", "seen", "last"])],
    )
    traces = pt.run(net, backend, "10 ms", integrator=integrator).traces
    expected = by_hand(100)
    for name, values in expected.items():
        # exact: rounding of 100 products; rk4 of -x/tau at dt/tau = 0.01: (dt/tau)^5/120 a step, 1e-10 in all
        np.testing.assert_allclose(
            traces["cells", name].values,
            np.array(values)[:, None] * [1, 1],
            rtol=1e-12 if integrator == "auto" else 1e-9,
            atol=1e-12,
        )
    assert traces["cells", "seen"].values[[19, 20]].tolist() == [[0.0, 0.0], [3.0, 3.0]]


@pytest.mark.needs("cells.conditions", "cells.linear", "cells.refractory", "record.spikes")
def test_only_spiking_conditions_wait_for_the_refractory_period(backend: str) -> None:
    """v rises by 1 mV/ms and is held for 2 ms after its reset at 1 mV; the other condition counts every step,
    in the refractory ones too.
    """
    cell = pt.cell_type(
        "counting",
        equations="dv/dt = 1 mV/ms : mV (held)\ndall_steps/dt = 0 : 1\ndlate/dt = 0 : 1",
        parameters={"t_ref": "2 ms"},
        refractory="t_ref",
        conditions=[
            ("v > 0.95 mV", "spike; v = 0 mV"),
            ("v >= 0 mV", "all_steps += 1"),
            ("all_steps > 20.5 and late < 1.5", "spike; late += 1"),
        ],
        integrator="euler",
    )
    results = run(backend, cell, "8 ms", ["v", "all_steps", "late"])
    # 10 steps up, a spike at 10, 20 updates held. The third condition holds from step 21 on, but waits for
    # the end of the first update that is not refractory, 31, and after its own spike until 52; then v, which
    # had two steps, needs eight more after the update 71 -> 72.
    assert results.spikes["cell"].steps[results.spikes["cell"].ids == 0].tolist() == [10, 31, 52, 80]
    np.testing.assert_array_equal(results.traces["cell", "all_steps"].values[:, 0], np.arange(81))
