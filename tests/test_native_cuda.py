"""The native engine on a CUDA device: numba's simulator in the place of one, in a process of its own, since
numba decides when it is imported. What can be said without a device is said here, too.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import RunConfig
from portable.backends.native import BACKEND
from portable.backends.native.cells import Arena
from portable.backends.native.cuda.code import DeviceCode, source
from portable.backends.native.parts import Parts
from portable.resolve import resolve

DEVICE = RunConfig(options={"device": "cuda"})


def everything() -> pt.Network:
    """Linear cells, refractory or not, every kind of source, drawn and single weights, currents."""
    exc, inh = (
        pt.Population("exc", 66, pt.IF_curr_exp(v_thresh=-63)),
        pt.Population("inh", 20, pt.IF_curr_alpha(v_thresh=-64.9)),
    )
    jumps = pt.Population("jumps", 3, pt.IF_curr_delta(tau_refrac=pt.Uniform(0, 2)))
    noise = pt.Population("noise", 66, pt.SpikeSourcePoisson(rate=900.0))
    shared = pt.Population("shared", 10, pt.SpikeSourcePoisson(rate=pt.Uniform(20, 300)))
    given = pt.Population("given", 2, pt.SpikeSourceArray([[1.0, 5.0], [2.0, 3.0, 3.0]]))
    drawn = pt.StaticSynapse(pt.Normal(0.5, 0.1, low=0), pt.Uniform("0.3 ms", "1 ms"))
    one = pt.StaticSynapse(0.5, "0.5 ms")
    return pt.Network(
        "everything",
        [exc, inh, jumps, noise, shared, given],
        [
            pt.Projection(exc, exc, pt.FixedProbability(0.1), drawn),
            pt.Projection(exc, inh, pt.FixedInDegree(9), pt.StaticSynapse(0.25, 0.7)),
            pt.Projection(inh, exc, pt.FixedInDegree(5), pt.StaticSynapse(-0.5, 0.7), "inhibitory"),
            pt.Projection(noise, exc, pt.OneToOne(), one),
            pt.Projection(shared, [exc, inh], pt.FixedProbability(0.2), one),
            pt.Projection(shared, jumps, pt.AllToAll(), pt.StaticSynapse(4.0, 0.2)),
            pt.Projection(given, exc[:40], pt.AllToAll(), drawn),
        ],
        [
            pt.Injection(pt.StepCurrentSource([1, 2, 3], [0.3, 0.8, 0.0]), inh),
            pt.Injection(pt.DCSource(0.2, 2.0), inh[:5]),
        ],
        [pt.Record([exc, inh, jumps, shared, given], "spikes"), pt.Record(exc[::7], "v", interval=0.5)],
    )


def izhikevich() -> pt.Network:
    cells = pt.Population("cells", 20, pt.Izhikevich(i_offset=pt.Uniform(5, 20)))
    how = pt.Projection(cells, cells, pt.FixedProbability(0.2), pt.StaticSynapse(0.5, 1.0))
    return pt.Network("cells", [cells], [how], recordings=[pt.Record(cells, ["spikes", "u"])])


def ran(device: str, net: pt.Network, steps: int, change: bool) -> dict:
    """Spikes in order and the bits of all traces, run in pieces."""
    plan = BACKEND.lower(resolve(net, 3, 0.1), RunConfig(options={"device": device})).plan
    session = BACKEND.open(plan)
    session.run(steps // 3)
    if change:
        session.set("exc", {"tau_m": 15.0})
        session.set("noise", {"rate": 0.7})
    session.run(0)
    session.run(steps - steps // 3)
    found = session.recorded()
    spikes = {k: sorted(zip(s.tolist(), i.tolist(), strict=True)) for k, (i, s) in found.spikes.items()}
    connections = [
        sorted(zip(c.sources.tolist(), c.targets.tolist(), c.weights.tolist(), strict=True))
        for c in session.connections()
    ]
    session.close()
    return {
        "spikes": spikes,
        "traces": {str(k): np.asarray(v[2]).tobytes().hex() for k, v in found.traces.items()},
        "connections": connections,
        "now": session.now,
    }


def main() -> None:
    """In the process with the simulator: both devices, side by side."""
    out = {}
    for name, net, steps, change in (
        ("everything", everything(), 90, True),
        ("cells", izhikevich(), 60, False),
    ):
        cpu, cuda = (ran(device, net, steps, change) for device in ("cpu", "cuda"))
        out[name] = {
            "equal": {k: cpu[k] == cuda[k] for k in cpu},
            "spikes": {k: len(v) for k, v in cpu["spikes"].items()},
        }
    print(json.dumps(out))


def test_the_simulated_device_does_what_the_processor_does():
    """Spikes, samples and connections to the last bit, run in pieces, with values changed between them."""
    here = Path(__file__)
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(here.parent)}
    code = f"import {here.stem} as t; t.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=here.parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for found in json.loads(done.stdout.splitlines()[-1]).values():
        assert all(found["equal"].values()), found
        assert all(found["spikes"].values()), found  # all of them were seen


@pytest.mark.parametrize("cell", [pt.IF_curr_exp, pt.IF_curr_alpha, pt.Izhikevich, pt.HH_cond_exp])
def test_every_product_is_rounded_by_itself(cell):
    """A device's compiler fuses a product with a sum that follows, which gives other bits; and the exp(1) of
    an alpha function is the processor's.
    """
    net = pt.Network("n", [pt.Population("c", 300, cell())])
    plan = BACKEND.lower(resolve(net, 1, 0.1), DEVICE).plan
    (group,) = Arena(plan, 1).cells.values()
    tree = ast.parse(DeviceCode(group.layout, 0).body())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)]
    assert [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "product"]
    assert "exp(1" not in ast.unparse(tree)
    compile(source([group.layout, "poisson", "trains"], frozenset({0})), "kernel", "exec")


def test_one_part_holds_all_cells():
    net = pt.Network("n", [pt.Population("c", 70_000, pt.IF_curr_exp())])
    plan = BACKEND.lower(resolve(net, 1, 0.1), RunConfig(4, options={"device": "cuda"})).plan
    assert (plan.threads, plan.delivery, Parts(plan).count) == (1, "due", 1)


@pytest.mark.parametrize(
    ("net", "settings", "feature"),
    [
        (izhikevich, {"integrator": "rkf45"}, "rkf45"),
        (izhikevich, {"options": {"device": "cuda", "delivery": "ring"}}, "delivery"),
        (lambda: linked(), {}, "links"),
    ],
)
def test_what_a_device_cannot_do_is_refused_before_the_run(net, settings, feature):
    given = {"options": {"device": "cuda"}, **settings}
    with pytest.raises(pt.UnsupportedError, match=feature) as refused:
        pt.run(net(), "native", "1 ms", **given)
    assert "device" in str(refused.value)


def linked() -> pt.Network:
    cell = pt.cell_type(
        "own", equations="dz/dt = (x - z)/tau : nA", parameters={"tau": "3 ms"}, inputs={"x": "nA"}
    )
    cells = pt.Population("c", 4, cell())
    return pt.Network("n", [cells], links=[pt.Link(cells, "z", cells, "x", [0], [1])])


def test_what_a_device_computes_otherwise_is_told():
    told = BACKEND.lower(resolve(izhikevich(), 1, 0.1), DEVICE).approximations
    assert [a.where for a in told] == ["functions"]
    weights = pt.Array(np.linspace(0.1, 0.2, 16), "nA")
    a = pt.Population("a", 4, pt.IF_curr_exp())
    net = pt.Network("n", [a], [pt.Projection(a, a, pt.AllToAll(), pt.StaticSynapse(weights, 1.0))])
    told = BACKEND.lower(resolve(net, 1, 0.1), DEVICE).approximations
    assert [(a.where, a.got) for a in told] == [("weights", "summed in any order")]


def test_without_a_device_the_remedy_is_said():
    pytest.importorskip("numba.cuda")
    from numba import cuda

    if cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(pt.BackendUnavailable, match="leave the option out"):
        pt.run(izhikevich(), "native", "1 ms", options={"device": "cuda"})
