"""Predictions of memory and time: from made-up costs, so that no number of them is a measurement."""

import json
import math
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

import portable as pt
from portable.backends.contract import Foreseen, Foresees, Times
from portable.backends.native import calibration, cost, measuring, probes
from portable.backends.native.cost import Costs, digest
from portable.backends.native.outline import delays, outline
from portable.cli import main
from portable.errors import ModelError
from portable.resolve import resolve

UNITS = "population value projection stored scanned entry session group cell field step slice exchange sample"
KINDS = ("AllToAll", "OneToOne", "FixedProbability", "FixedInDegree", "FixedTotalNumber", "Explicit")


def made_up() -> Costs:
    """Ten nanoseconds for everything."""
    names = [
        *UNITS.split(),
        "stored weight",
        "stored delay",
        "several targets",
        "weight row",
        "delay row",
        "spike",
    ]
    names += [f"{k} {x}" for k in KINDS for x in ("row", "synapse")]
    names += [f"{x} {d}" for x in ("weight", "delay") for d in ("Normal", "Uniform", "Array")]
    for kind in ("stored", "equal"):
        names += [*cost.delivered(kind, 1, 1, 1, 1, 1)]
    names += [*cost.ring_events(1, 1), *cost.of_sources(1, 1), "sent"]
    return Costs(dict.fromkeys(names, 1e-8), {"resolve": 0.5}, {}, {"run": 1.5, "build": 1.2}, 2, 2e8)


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """A calibration of made-up costs is kept; types of cells cost 1 ns."""
    monkeypatch.setattr(calibration, "path", lambda: tmp_path / "kept" / "calibration.json")
    monkeypatch.setattr(calibration, "updates", lambda *_: [(1000, 1e-9)])
    monkeypatch.setattr(calibration, "measure", lambda _: pytest.fail("measured anew"))
    calibration.keep(made_up())
    return tmp_path


def balanced(cells=1000, inputs=100, rate=None, delay=1.5):
    exc = pt.Population("exc", cells, pt.IF_curr_exp(), initial={"v": pt.Uniform(-65, -50)})
    synapse = pt.StaticSynapse(pt.Normal(0.05, 0.005, low=0), delay)
    populations, projections = [exc], [pt.Projection(exc, exc, pt.FixedInDegree(inputs), synapse)]
    if rate is not None:
        populations.append(pt.Population("noise", cells, pt.SpikeSourcePoisson(rate=rate)))
        projections.append(pt.Projection(populations[1], exc, pt.OneToOne(), pt.StaticSynapse(0.1, 1.0)))
    return pt.Network("balanced", populations, projections, recordings=[pt.Record(exc)])


# ---- the formula


def test_what_is_counted_is_what_the_network_has():
    o = outline(balanced(1000, 100, rate=8.0), 0.1, 1)
    drawn, code = cost.to_resolve(o)
    assert drawn["FixedInDegree synapse"] == 100_000 and drawn["weight Normal"] == 100_000  # noqa: PT018
    assert drawn["OneToOne synapse"] == 1000
    assert {"FixedInDegree", "OneToOne", "weight"} <= code
    assert "delay" not in code
    built, _ = cost.to_build(o)
    assert built["stored"] == 100_000  # the Poisson drive is no synapse of the engine
    assert built["stored weight"] == 100_000
    assert built["stored delay"] == built["scanned"] == 0


def test_the_outline_is_the_engines_own_plan():
    """Kinds, delays, drives, delivery and layouts, as lowering of the whole network has them."""
    from portable.backends.contract import RunConfig
    from portable.backends.native.cells import arranged
    from portable.backends.native.lower import lower

    for network in (balanced(300, 50, rate=8.0), balanced(700, 40, delay=pt.Normal(1.5, 0.75, low=0.1))):
        plan = lower(resolve(network, 1, 0.1), RunConfig()).plan
        o = outline(network, 0.1, 1)
        assert o.plan.kinds == plan.kinds
        assert o.plan.connections == plan.connections
        assert (o.plan.drives, o.plan.delivery, o.plan.weights) == (plan.drives, plan.delivery, plan.weights)
        assert abs(len(o.plan.delays) - len(plan.delays)) <= 0.2 * len(plan.delays)  # the ends are drawn
        for c, g in zip(plan.cells, plan.program.cells, strict=True):
            assert digest(arranged(plan, c, g)[0]) == digest(o.layouts[g.name])


@pytest.mark.parametrize(
    "given", [pt.Normal(2.0, 0.7, low=0.1, high=4.0), pt.Uniform(0.5, 3.0), pt.Lognormal(2.0, 0.5), 1.5]
)
def test_the_shares_of_delays_are_those_of_draws(given):
    """100,000 draws: a share of 0.05 is met to 0.0007 (one standard deviation); five of them are allowed."""
    network = balanced(1000, 100, delay=given)
    first, shares = delays(network.projections[0], 100_000, 0.1)
    drawn = resolve(network, 3, 0.1).connections[0].delays
    found = np.bincount(np.atleast_1d(drawn), minlength=first + shares.size + 20) / np.size(drawn)
    expected = np.zeros(found.size)
    expected[first : first + shares.size] = shares
    assert expected.sum() == pytest.approx(1.0)
    assert np.all(np.abs(found - expected) < 5 * np.sqrt(0.1 * 0.9 / 1e5))


def test_events_of_a_spike():
    o = outline(balanced(1000, 100, delay=pt.Uniform(0.05, 2.05)), 0.1, 1)
    events, segments = o.segments("exc")
    assert events == pytest.approx(100.0)
    assert len(o.plan.delays) == 20
    assert segments == pytest.approx(20 * (1 - math.exp(-5.0)), rel=0.01)  # of five synapses each in the mean


@pytest.mark.usefixtures("kept")
def test_time_is_linear_in_synapses_and_in_the_rate():
    few, many = (pt.predict(balanced(2000, n), rate=1.0).times[0] for n in (100, 200))
    more = pt.predict(balanced(2000, 400), rate=1.0).times[0]
    assert more.resolve - many.resolve == pytest.approx(2 * (many.resolve - few.resolve))
    assert more.build - many.build == pytest.approx(2 * (many.build - few.build))
    assert more.silent == pytest.approx(few.silent)  # nobody spikes
    p = pt.predict(balanced(), duration="2 s", rate=3.0)
    one = p.times[0]
    assert p.run_seconds(1) == pytest.approx(2 * (one.silent + 3 * one.each_hz))
    assert p.run_seconds(1, rate=0.0) == pytest.approx(2 * one.silent)


@pytest.mark.usefixtures("kept")
def test_updates_are_linear_in_cells_and_in_steps():
    """1 ns for each cell and step, and ten for each step, group and exchange."""
    one, two = (pt.predict(balanced(n)).times[0].silent for n in (2000, 4000))
    assert two - one == pytest.approx(10_000 * 2000 * 1e-9)
    fine = pt.predict(balanced(2000), dt=0.05).times[0].silent
    assert fine == pytest.approx(2 * one, rel=1e-3)  # an exchange is every 15 steps or every 16


@pytest.mark.usefixtures("kept")
def test_poisson_sources_are_drawn_whether_cells_spike_or_not():
    without, with_noise = (pt.predict(balanced(rate=r)).times[0] for r in (None, 8000.0))
    assert with_noise.silent > without.silent + 10_000 * 1000 * 1e-8 * 0.99
    assert with_noise.each_hz == pytest.approx(without.each_hz)


@pytest.mark.usefixtures("kept")
def test_threads_share_events_and_updates(monkeypatch):
    monkeypatch.setattr("portable.backends.native.threads.processors", lambda: 2)
    one, two = pt.predict(balanced(20_000)).times
    assert (one.threads, two.threads) == (1, 2)
    assert two.silent < one.silent / 1.4  # 1.5 times as fast but for what each part does by itself
    assert len(pt.predict(balanced(20)).times) == 1  # too small to share


@pytest.mark.usefixtures("kept")
def test_code_is_loaded_once_a_process():
    assert 0.5 <= pt.predict(balanced(20, 5)).times[0].resolve < 0.51


@pytest.mark.usefixtures("kept")
def test_memory_has_the_arrays_of_the_built_engine():
    """Targets, weights and tables beside the network, to a tenth: what else there is goes with the cells."""
    network = balanced(3000, 300, delay=pt.Normal(1.5, 0.75, low=0.1))
    program = resolve(network, 1, 0.1)
    held = sum(x.nbytes for x in probes.opened(program).parts.synapses)
    engine = cost.held_bytes(outline(network, 0.1, 1))
    counts = 4 * 3000 * outline(network, 0.1, 1).width  # while segments are made of them
    assert engine == pytest.approx(held + counts, rel=0.1)
    p = pt.predict(network)
    assert p.peak_bytes == pytest.approx(2e8 + p.sizes.program_bytes + engine, rel=0.05)
    assert pt.predict(network, rate=10.0).peak_bytes > p.peak_bytes


@pytest.mark.usefixtures("kept")
def test_a_billion_synapses_at_once():
    network = balanced(100_000, 10_000, delay=pt.Normal(1.5, 0.75, low=0.1))
    began = time.perf_counter()
    p = pt.predict(network, rate=5.0)
    assert time.perf_counter() - began < 30  # a second; building it would take minutes and 13 GB
    assert p.sizes.total_synapses == 10**9
    assert p.peak_bytes > 13e9
    assert p.times[0].resolve > 20  # 10 ns for a row's entry, and for its weight


@pytest.mark.usefixtures("kept")
def test_what_is_said():
    p = pt.predict(balanced(), rate="5 Hz", duration="500 ms")
    said = str(p)
    assert "balanced on native: 1,000 cells and sources, 100,000 synapses" in said
    assert "for each Hz of rate" in said
    assert "to run 500 ms at 5 Hz" in said
    assert "to run" not in str(pt.predict(balanced()))
    assert "Prediction" in repr(p)
    with pytest.raises(AttributeError):
        p.rate = 3.0


# ---- what is wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rate": -1}, "rate: must be >= 0 Hz, got -1 Hz; give the mean over all cells"),
        ({"rate": math.inf}, "rate: must be finite, got inf"),
        ({"rate": "5 mV"}, "rate: must be a rate"),
        ({"duration": "-1 s"}, "duration: must be >= 0 ms, got -1000 ms"),
        ({"dt": 0}, "dt: must be > 0 ms"),
        ({"backend": "reference"}, "'reference' cannot say what a network takes; these can: native"),
    ],
)
@pytest.mark.usefixtures("kept")
def test_one_clear_error(arguments, said):
    with pytest.raises(ModelError, match=said):
        pt.predict(balanced(), **arguments)


@pytest.mark.usefixtures("kept")
def test_what_is_no_network():
    with pytest.raises(ModelError, match="expected a Network"):
        pt.predict("cuba")


# ---- the file


@pytest.mark.usefixtures("kept")
def test_a_calibration_is_kept():
    before = calibration.load()
    assert before == replace(made_up(), types={})
    pt.predict(balanced())
    assert len(calibration.load().types) == 1  # the cells' type is there now
    assert asdict(calibration.load()) == {**asdict(before), "types": calibration.load().types}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}', "old", "nan", "short"])
@pytest.mark.usefixtures("kept")
def test_a_damaged_or_old_file_is_measured_again(damage, monkeypatch):
    found = json.loads(calibration.path().read_text())
    match damage:
        case "old":
            found["key"]["portable"] = "0.0.1"
        case "nan":
            found["costs"]["each"]["step"] = math.nan
        case "short":
            del found["costs"]["each"]
    calibration.path().write_text(json.dumps(found) if damage in ("old", "nan", "short") else damage)
    assert calibration.load() is None
    said = []
    monkeypatch.setattr(calibration, "measure", lambda tell: tell("again") or made_up())
    pt.predict(balanced(), tell=said.append)
    assert said[0].startswith("measuring this machine")
    assert said[1] == "again"
    assert calibration.load() is not None


@pytest.mark.usefixtures("kept")
def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr("portable.caches.made", refuse)
    calibration.keep(made_up())


# ---- the measurement itself


def test_fitting_gives_back_what_made_the_times():
    rng = np.random.default_rng(1)
    true = {"a": 2e-9, "b": 5e-8, "c": 0.0}
    rows = []
    for _ in range(12):
        amounts = {k: float(rng.integers(1, 1000)) for k in true}
        rows.append((amounts, sum(true[k] * n for k, n in amounts.items())))
    found = measuring.fit(rows)
    assert found == pytest.approx(true, abs=1e-13)


def test_a_type_of_cells_is_measured():
    o = outline(balanced(), 0.1, 1)
    points = measuring.updates(o, "exc", 0.0, (64, 256))
    assert [n for n, _ in points] == [64, 256]
    assert all(0 < s < math.inf for _, s in points)


def test_probes_tell_what_a_spike_costs():
    rows = list(measuring._spikes(probes.driven(200, 4000, "Normal"), 200, "stored", probes.LONG))
    assert all(0 < x < math.inf for row in rows for x in (row.busy, row.quiet, row.many))
    assert [row.amounts["stored segment"] for row in rows] == [1, probes.LONG, 1]


# ---- another backend, and the command line


def test_another_backend_may_foresee(monkeypatch):
    from portable.backends import registry

    class Mine:
        name = "mine"

        def foresee(self, network, dt, tell):  # noqa: ARG002
            return Foreseen(1e6, 10.0, 0.0, 7, (Times(1, 1.0, 2.0, 3.0, 4.0),))

    assert isinstance(Mine(), Foresees)
    get = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Mine() if name == "mine" else get(name))
    p = pt.predict(balanced(), "mine", "2 s", rate=5)
    assert p.run_seconds() == 2 * (3 + 5 * 4)
    assert p.peak_bytes == 1e6 + 10 * 7 * 2 * 5


MODEL = """
import portable as pt
cells = pt.Population("cells", 50, pt.IF_curr_exp())
to_each_other = pt.Projection(cells, cells, pt.FixedInDegree(5), pt.StaticSynapse(0.1, 1.0))
network = pt.Network("small", [cells], [to_each_other])
"""


@pytest.mark.usefixtures("kept")
def test_the_command(tmp_path, capsys):
    path = tmp_path / "small.py"
    path.write_text(MODEL)
    assert main(["show", str(path), "--predict", "--mean-rate", "5", "--duration", "2 s"]) == 0
    out = capsys.readouterr().out
    assert "1 thread: " in out
    assert "to run 2000 ms at 5 Hz" in out
    assert main(["show", str(path), "--predict", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["prediction"]
    assert found["rate"] is None
    assert found["peak_bytes"] > 2e8
    assert found["threads"][0]["run_seconds"] is None
    assert found["threads"][0]["build_seconds"] > 0
    assert main(["show", str(path), "--json"]) == 0
    assert "prediction" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--predict", "--mean-rate", "-3"], "must be >= 0 Hz, got -3 Hz"),
        (["--mean-rate", "3"], "give --predict too"),
    ],
)
@pytest.mark.usefixtures("kept")
def test_the_command_says_what_is_wrong(tmp_path, capsys, given, said):
    path = tmp_path / "small.py"
    path.write_text(MODEL)
    assert main(["show", str(path), *given]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("kept")
def test_a_prediction_says_what_it_does_not_count():
    cells = pt.Population("cells", 4, pt.IF_curr_exp())
    learns = pt.Projection(cells, cells, pt.OneToOne(), pt.STDP(0.1, w_max=1), name="learns")
    network = pt.Network("n", [cells], [learns], recordings=[pt.Record(learns)])
    said = str(pt.predict(network, "native", "100 ms"))
    assert "not counted: connections that learn count as static ones" in said
    assert "not counted: recorded weights are not counted" in said
