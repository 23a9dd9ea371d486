"""pt.compare: runs on several backends. The other backends here are the reference with a known defect, so
nothing needs a simulator.
"""

import json

import numpy as np
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.contract import Recorded, Shortfall
from portable.resolve import resolve
from portable.simulation import open as open_simulation
from portable.validation.compare import compare, run_program
from portable.validation.single_cell import isolate


class Session:
    """The reference's session with a defect."""

    def __init__(self, inner, defect):
        self.inner, self.defect = inner, defect

    def run(self, steps):
        if self.defect == "fails":
            raise ZeroDivisionError("the simulator broke")
        self.inner.run(steps)

    def recorded(self):
        raw = self.inner.recorded()
        if self.defect != "late":
            return raw
        return Recorded({g: (ids, steps + 1) for g, (ids, steps) in raw.spikes.items()}, raw.traces)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Other:
    """A backend made from the reference: "same", "late" (spikes one step late), "fails", "lacks" (a feature),
    "absent".
    """

    def __init__(self, name):
        self.name, self.inner = name, real("reference")
        self.capabilities = self.inner.capabilities

    def default_threads(self, _program):
        return 1

    def check(self, *_):
        return [Shortfall("cells.linear", "population 'exc'", "has no cells")] if self.name == "lacks" else []

    def lower(self, program, config):
        return self.inner.lower(program, config)

    def open(self, plan):
        return Session(self.inner.open(plan), self.name)

    def version(self):
        return None if self.name == "absent" else "1.0"


real = registry.get


@pytest.fixture(autouse=True)
def others(monkeypatch):
    made = {name: Other(name) for name in ("same", "late", "fails", "lacks", "absent")}
    monkeypatch.setattr(registry, "get", lambda name: made.get(name) or real(name))


def network(cell=None, current=1.0, record_v=True):
    cell = cell or pt.IF_curr_exp(i_offset=current)
    weight = 0.1 if cell.type.name == "IF_curr_exp" else 0.001
    exc = pt.Population("exc", 12, cell, initial={"v": pt.Uniform(-65, -55)})
    noise = pt.Population("noise", 12, pt.SpikeSourcePoisson(rate=200.0))
    synapse = pt.StaticSynapse(weight, pt.Uniform(0.5, 2.0))
    return pt.Network(
        "small",
        [exc, noise],
        [
            pt.Projection(exc, exc, pt.FixedInDegree(3), synapse),
            pt.Projection(noise, exc, pt.FixedInDegree(2), synapse),
        ],
        recordings=[pt.Record(exc, "spikes"), *([pt.Record(exc[:2], "v")] if record_v else [])],
    )


def test_the_same_engine_twice_is_identical_for_every_seed():
    found = compare(network(), ("reference", "same"), "60 ms", seeds=(1, 2))
    assert found.identical
    assert (found.verdict, found.exit_code) == ("identical", 0)
    assert [(p.seed, p.second, p.identical) for p in found.pairs] == [(1, "same", True), (2, "same", True)]
    assert found.pairs[0].spikes[0] > 12
    # the seed did something: by spikes alone two seeds may agree in number
    assert found.pairs[0].traces[0].values != found.pairs[1].traces[0].values
    assert all(t.largest == 0.0 for p in found.pairs for t in p.traces)


def test_one_step_late_is_different_and_all_within_one_step():
    found = compare(network(), ("reference", "late"), "60 ms")
    pair = found.pairs[0]
    assert (found.verdict, found.exit_code, found.identical) == ("different", 1, False)
    assert pair.within_one_step == 1.0
    assert pair.equal == 0.0  # no cell fires in two steps running
    assert pair.divergence.time > 0


@pytest.mark.parametrize(
    ("name", "said"), [("fails", "broke"), ("lacks", "no cells"), ("absent", "not installed")]
)
def test_a_backend_that_cannot_run_is_told_and_the_others_are_compared(name, said):
    found = compare(network(), ("reference", name, "same"), "30 ms", seeds=(1, 2))
    assert said in found.failures[name]
    assert [p.second for p in found.pairs] == ["same", "same"]
    assert (found.exit_code, found.identical, found.verdict) == (2, False, "not comparable")
    assert name in repr(found)


def test_silence_is_no_pass():
    found = compare(network(current=0.0, cell=pt.IF_curr_exp(v_thresh=50.0)), ("reference", "same"), "10 ms")
    assert (found.verdict, found.exit_code) == ("not comparable", 2)


def test_as_json():
    found = compare(network(), ("reference", "late"), "30 ms")
    data = json.loads(json.dumps(found.to_dict()))
    assert data["verdict"] == "different"
    assert data["pairs"][0]["divergence"]["population"] == "exc"
    assert set(data["pairs"][0]) >= {
        "equal",
        "within_one_step",
        "spikes",
        "populations",
        "traces",
        "identical",
    }
    assert data["sides"][0]["integrators"] == {"exc": "exact"}
    assert data["sides"][0]["inputs"] == "frozen"


def test_wrong_use():
    exc = pt.Population("exc", 2, pt.IF_curr_exp())
    with pytest.raises(pt.ModelError, match="records no spikes"):
        compare(pt.Network("n", [exc], recordings=[pt.Record(exc, "v")]), ("reference", "same"))
    with pytest.raises(pt.ModelError, match="two or more"):
        compare(network(), ("reference",))
    with pytest.raises(pt.ModelError, match="two or more"):
        compare(network(), ("reference", "reference"))
    with pytest.raises(pt.BackendNotFound, match="reference"):
        compare(network(), ("reference", "referense"))
    with pytest.raises(pt.ModelError, match="seeds"):
        compare(network(), ("reference", "same"), seeds=())


def adex():
    return pt.EIF_cond_exp_isfa_ista(i_offset=0.9)


def test_cells_that_are_not_linear_are_compared_out_of_the_loop():
    found = compare(network(adex()), ("reference", "late"), "40 ms")
    loop = found.single_cells[0]
    assert loop.population == "exc"
    assert loop.cells == (0, 1, 2, 3, 4)
    assert loop.spike_time_difference == pytest.approx(0.1)
    assert loop.pair.traces[0].before == 0.0
    assert loop.missing == ()
    assert "out of the loop" in repr(found)


def test_a_backend_that_has_no_spike_trains_is_noted_and_the_network_is_still_compared(monkeypatch):
    lacking = Other("same")
    lacking.check = lambda program, _: (
        [Shortfall("sources.trains", "x", "has no trains")]
        if any(g.name.startswith("input") for g in program.groups)
        else []
    )
    get = registry.get
    monkeypatch.setattr(registry, "get", lambda name: lacking if name == "same" else get(name))
    found = compare(network(adex()), ("reference", "same"), "20 ms")
    assert found.identical
    assert found.single_cells == ()
    assert "has no trains" in found.notes[0]


def test_linear_cells_are_not_unless_asked():
    assert compare(network(), ("reference", "same"), "20 ms").single_cells == ()
    assert len(compare(network(), ("reference", "same"), "20 ms", single_cells=True).single_cells) == 1
    assert compare(network(adex()), ("reference", "same"), "20 ms", single_cells=False).single_cells == ()


@pytest.mark.parametrize("cell", [pt.IF_curr_exp(i_offset=1.0), adex()])
def test_out_of_the_loop_a_cell_does_what_it_did_in_the_network(cell):
    """The input is the network's, to the last spike: the first five cells give the very spikes that they gave
    in it.
    """
    net = network(cell)
    program = resolve(net, 3, 0.1)
    whole = run_program(net, program, "reference", 700, None, "auto", None)
    loop, cells, missing = isolate(program, whole, "exc")
    alone = run_program(net, loop, "reference", 700, None, "auto", None)
    kept = whole.spikes["exc"].ids < len(cells)
    assert kept.sum() > 5
    assert missing == ()
    assert np.array_equal(alone.spikes["exc"].ids, whole.spikes["exc"].ids[kept])
    assert np.array_equal(alone.spikes["exc"].steps, whole.spikes["exc"].steps[kept])


def test_inputs_that_were_not_recorded_are_named():
    net = network()
    fewer = pt.Network(
        "fewer", net.populations, net.projections, recordings=[pt.Record(net.populations[0][:3], "spikes")]
    )
    program = resolve(fewer, 3, 0.1)
    whole = run_program(fewer, program, "reference", 100, None, "auto", None)
    loop, _, missing = isolate(program, whole, "exc")
    assert missing == ("exc",)
    assert [c.pre for c in loop.connections] == ["input1"]  # the noise is still there


def test_the_program_is_resolved_once_and_shared():
    """A resolved program is run as it stands: another network's parameters would show."""
    net = network()
    program = resolve(net, 5, 0.1)
    with open_simulation(net, "reference", dt=0.1, seed=5, program=program) as sim:
        assert sim.program is program
