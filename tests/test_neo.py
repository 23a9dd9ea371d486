"""Results as neo objects: units, annotations, and that elephant and neo's files take them."""

import json
import pickle
from datetime import UTC, datetime

import elephant.statistics
import neo
import numpy as np
import pytest
import quantities as pq

import portable as pt
from portable.resolve.program import Approximation
from portable.results import Results, TraceTable, sorted_spikes
from portable.results.neo_block import block
from portable.results.statistics import mean_cv, rate_histogram, spike_counts
from portable.results.storage import load_results, save_results


@pytest.fixture
def results():
    spikes = {
        "exc": sorted_spikes([4, 2, 2, 2], [30, 10, 20, 40], 0.1, np.array([2, 4, 6])),
        "inh": sorted_spikes([], [], 0.1, np.arange(2)),
    }
    values = np.array([[-65.0, -64.0], [-63.5, -62.25], [-60.0, -50.125]])
    traces = {
        ("exc", "v"): TraceTable(np.array([2, 4]), np.array([0, 20, 40]), 0.1, values, "mV"),
        ("exc", "n"): TraceTable(np.array([4]), np.array([0, 20, 40]), 0.1, values[:, :1] * 0, "1"),
    }
    provenance = {
        "seed": 3,
        "simulator": None,
        "seconds": {"run": 0.5},
        "integrators": {"exc": "exact"},
        "threads": np.int64(2),
        "began": "2026-01-02T03:04:05+00:00",
    }
    changed = (Approximation("exc", "1.23 ms", "1.2 ms", "0.03 ms", "off the grid"),)
    return Results("net", "native", 0.1, 100, {"exc": 8, "inh": 2}, spikes, traces, provenance, changed)


def test_a_train_for_each_recorded_cell_in_ms(results):
    segment = block(results).segments[0]
    assert len(segment.spiketrains) == 5
    first = segment.spiketrains[0]
    assert first.units == pq.ms
    assert list(first.magnitude) == [1.0, 2.0, 4.0]
    assert first.t_stop == 10 * pq.ms
    assert (first.annotations["population"], first.annotations["source_id"]) == ("exc", 2)
    assert [
        (t.annotations["population"], t.annotations["source_id"], len(t)) for t in segment.spiketrains[1:]
    ] == [("exc", 4, 1), ("exc", 6, 0), ("inh", 0, 0), ("inh", 1, 0)]


def test_signals_have_units_period_and_channels(results):
    v, n = block(results).segments[0].analogsignals
    assert v.units == pq.mV
    assert v.sampling_period.rescale("ms").magnitude == pytest.approx(2.0)
    assert v.t_start == 0 * pq.ms
    assert np.array_equal(v.magnitude, results.traces["exc", "v"].values)
    assert list(v.array_annotations["channel_ids"]) == [2, 4]
    assert (v.annotations["population"], v.annotations["variable"]) == ("exc", "v")
    assert n.units == pq.dimensionless


@pytest.mark.parametrize(
    ("unit", "like"),
    [
        ("pA", 1 * pq.pA),
        ("nS", 1 * pq.nS),
        ("mV/ms", 1 * pq.V / pq.s),
        ("fC", 1e-15 * pq.C),
        ("GOhm", 1e9 * pq.ohm),
        ("ng**1*um**2*ms**-2", 1e-12 * pq.kg * (1e-6 * pq.m) ** 2 / (1e-3 * pq.s) ** 2),
    ],
)
def test_every_coherent_unit_means_the_same_there(unit, like):
    """A value of 1 in our unit is `like` in SI: factor and dimension."""
    one = TraceTable(np.array([2]), np.array([0, 1]), 0.1, np.ones((2, 1)), unit)
    made = (
        block(Results("n", "native", 0.1, 2, {"exc": 3}, {}, {("exc", "x"): one}))
        .segments[0]
        .analogsignals[0]
    )
    assert float((made[0, 0] / like).simplified) == pytest.approx(1.0, rel=1e-12)
    assert (made[0, 0] / like).dimensionality.simplified == pq.dimensionless.dimensionality


def test_provenance_is_in_the_annotations_and_survives_a_file(results, tmp_path):
    path = tmp_path / "block.pkl"
    neo.io.PickleIO(str(path)).write(block(results))
    back = neo.io.PickleIO(str(path)).read_block()
    assert json.loads(back.annotations["provenance"])["seed"] == 3
    assert back.annotations["backend"] == "native"
    assert back.annotations["approximations"] == "exc: 1.23 ms -> 1.2 ms: off the grid"
    assert np.array_equal(back.segments[0].spiketrains[0].magnitude, [1.0, 2.0, 4.0])
    assert back.segments[0].analogsignals[0].units == pq.mV
    assert pickle.loads(path.read_bytes()).name == "net"


def test_nix_keeps_everything(results, tmp_path):
    """Also all of the provenance: NIX keeps of a dictionary its keys only, and of a list of one its item."""
    nix = pytest.importorskip("neo.io.nixio")
    pytest.importorskip("nixio")
    path = tmp_path / "block.nix"
    wrote = block(results)
    with nix.NixIO(str(path), mode="ow") as file:
        file.write_block(wrote)
    with nix.NixIO(str(path), mode="ro") as file:
        back = file.read_block()
    for name in ("backend", "dt", "duration", "sizes", "approximations", "provenance"):
        assert back.annotations[name] == wrote.annotations[name]
    assert json.loads(back.annotations["provenance"]) == {**results.provenance, "threads": 2}
    assert json.loads(back.annotations["sizes"]) == {"exc": 8, "inh": 2}
    assert back.rec_datetime.replace(tzinfo=UTC) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (segment,), (wrote_segment,) = back.segments, wrote.segments
    for mine, theirs in zip(wrote_segment.spiketrains, segment.spiketrains, strict=True):
        assert np.array_equal(mine.rescale("ms").magnitude, theirs.rescale("ms").magnitude)
        assert mine.annotations == theirs.annotations
    for mine, theirs in zip(wrote_segment.analogsignals, segment.analogsignals, strict=True):
        assert np.array_equal(mine.magnitude, theirs.magnitude)
        assert mine.units == theirs.units
        assert mine.annotations == theirs.annotations
        assert np.array_equal(mine.array_annotations["channel_ids"], theirs.array_annotations["channel_ids"])


def test_nwb_takes_the_block_as_it_is(results, tmp_path):
    """NWB asks for the time at which a session began, with its time zone."""
    pytest.importorskip("pynwb")
    path = str(tmp_path / "block.nwb")
    neo.io.NWBIO(path, "w").write(block(results))
    back = neo.io.NWBIO(path, "r").read_block()
    assert back.annotations["session_start_time"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (segment,) = back.segments
    assert len(segment.spiketrains) == 5
    assert np.allclose(segment.spiketrains[0].rescale("ms").magnitude, [1.0, 2.0, 4.0], rtol=1e-12, atol=0)
    v = next(s for s in segment.analogsignals if s.units == pq.mV)
    assert np.array_equal(v.magnitude, results.traces["exc", "v"].values)


def test_elephant_takes_the_trains(results):
    trains = results.to_neo().segments[0].spiketrains
    assert elephant.statistics.mean_firing_rate(trains[0]).rescale("Hz").magnitude == pytest.approx(
        300.0
    )  # 3 spikes in 10 ms
    assert len(elephant.statistics.isi(trains[0])) == 2


def test_cv_is_elephants():
    """The same number as elephant's cv of each cell, averaged over cells with five intervals or more."""
    rng = np.random.default_rng(1)
    ids, steps = rng.integers(0, 20, 400), rng.integers(1, 5000, 400)
    few = np.array([21, 21, 21]), np.array([5, 17, 30])
    table = sorted_spikes(np.concatenate([ids, few[0]]), np.concatenate([steps, few[1]]), 0.1, np.arange(22))
    want = [elephant.statistics.cv(np.diff(t)) for t in table.trains() if len(t) > 5]
    assert len(want) == 20
    assert mean_cv(table) == pytest.approx(np.mean(want), rel=1e-9)
    assert np.isnan(mean_cv(sorted_spikes(*few, 0.1, np.arange(22))))
    assert list(spike_counts(table)) == [len(t) for t in table.trains()]


def test_rate_histogram_counted_by_hand():
    """Stamps 1..10 are the first millisecond, as a stamp is the end of its step."""
    table = sorted_spikes([0, 0, 1, 1], [1, 10, 11, 25], 0.1, np.arange(2))
    edges, rates = rate_histogram(table, 2.5, 1.0)
    assert list(edges) == pytest.approx([0.0, 1.0, 2.0, 2.5])
    assert list(rates) == pytest.approx(
        [1000.0, 500.0, 1000.0]
    )  # spikes / ms / 2 cells; the last bin is half as wide


def test_npz_round_trip_is_exact(results, tmp_path):
    path = tmp_path / "r.npz"
    save_results(results, path)
    back = load_results(path)
    assert (back.network, back.backend, back.dt, back.steps, dict(back.sizes)) == (
        "net",
        "native",
        0.1,
        100,
        {"exc": 8, "inh": 2},
    )
    assert list(back.spikes) == list(results.spikes)
    for name, table in results.spikes.items():
        for part in ("ids", "steps", "recorded"):
            assert np.array_equal(getattr(back.spikes[name], part), getattr(table, part))
    assert np.array_equal(back.traces["exc", "v"].values, results.traces["exc", "v"].values)
    assert back.traces["exc", "n"].unit == "1"
    assert back.provenance["seconds"] == {"run": 0.5}
    assert back.provenance["threads"] == 2
    assert back.approximations == results.approximations
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]  # no part left behind


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, x=np.arange(3))
    with pytest.raises(pt.ModelError, match="no file of results"):
        load_results(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(pt.ModelError, match="no file of results"):
        load_results(path)
    np.savez(path, about=np.array(["x"], dtype=object))  # would need a pickle
    with pytest.raises(pt.ModelError, match="no file of results"):
        load_results(path)
    np.savez(path, about=np.array('{"format": "portable.results", "version": 99}'))
    with pytest.raises(pt.ModelError, match="version 99"):
        load_results(path)
