"""Synapses that learn as a user sees them: the commands, pictures, neo objects, files, and what NeuroML and a
prediction say of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from matplotlib import image

import portable as pt
from portable.cli import main
from portable.library.plasticity import SYNAPSES
from portable.pictures.plots import raster
from portable.pictures.weights import COURSES, weights
from portable.results import Results
from portable.results.storage import load_results, save_results
from portable.results.synapses import SynapseTable

MODEL = '''
"""It learns."""

import portable as pt

run_defaults = {"backend": "reference", "duration": "20 ms", "dt": "1 ms"}


def network() -> pt.Network:
    few = pt.Population("few", 4, pt.SpikeSourceArray([[3.0, 9.0]]))
    cells = pt.Population("cells", 4, pt.IF_curr_exp(tau_refrac=1.0, i_offset=5.0))
    stdp = pt.STDP(pt.Uniform("20 pA", "180 pA"), 2.0, w_max="200 pA", a_minus=pt.Uniform(0, 0.1), dendritic_delay_fraction=0.5)
    learns = pt.Projection(few, cells, pt.AllToAll(), stdp, name="learns")
    short = pt.Projection(few, cells, pt.OneToOne(), pt.TsodyksMarkram(0.1, initial={"u": 0.25}), name="short")
    records = [pt.Record(learns, "weight", 5.0), pt.Record(short.between(few[:3]), ["u", "r"], 10.0)]
    return pt.Network("plastic", [few, cells], [learns, short], (), records)
'''  # noqa: E501


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "plastic.py"
    path.write_text(MODEL)
    return path


def run(capsys: Any, *arguments: Any) -> str:
    code = main([str(a) for a in arguments])
    told = capsys.readouterr()
    assert code == 0, told.err
    return str(told.out)


# ---- commands


def test_rules_lists_the_library(capsys: Any) -> None:
    said = run(capsys, "rules")
    for name, kind in SYNAPSES.items():
        assert name in said
        assert kind.description in said
        assert kind.aliases.get("NEST", "") in said
    assert "pt.synapse_type" in said


@pytest.mark.parametrize("name", SYNAPSES)
def test_a_rule_in_full(capsys: Any, name: str) -> None:
    """What is shown is the definition: text, parameters with units, the paper, the names elsewhere."""
    kind, said = SYNAPSES[name], run(capsys, "rules", name)
    assert kind.source in said
    for where, alias in kind.aliases.items():
        assert f"in {where}: {alias}" in said
    for place in ("pre_traces", "post_traces", "equations", "on_pre", "on_post", "after_pre", "after_post"):
        for line in str(kind.definition.get(place, "")).replace(";", "\n").splitlines():
            assert line.strip() in said
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    for p in kind.parameters.values():
        assert (f"{p.default.value:g}" if p.default is not None else "-") in lines[p.name]
        assert "The rule's" not in lines[p.name], "say in library/meanings.py what it is"
    data = json.loads(run(capsys, "rules", name, "--json"))["rules"]
    assert [r["name"] for r in data] == [name]
    assert data[0]["parameters"].keys() == kind.parameters.keys()


def test_no_such_rule(capsys: Any) -> None:
    assert main(["rules", "STPD"]) == 2
    assert "STPD: is no rule of the library; did you mean 'STDP'?" in capsys.readouterr().err
    assert "portable rules VogelsSprekeler" in run(capsys, "rules", "--help")


def test_show_says_what_learns(capsys: Any, model: Path) -> None:
    said = run(capsys, "show", model)
    for part in (
        "learns", "STDP", "TsodyksMarkram", "w_max = 200 pA", "a_minus = uniform 0 to 0.1",
        "dendritic_delay_fraction = 0.5", "initial u = 0.25",
        "records weight every 5 ms of projection 'learns'",
        "records u, r every 10 ms of projection 'short' from few[:3]",
    ):  # fmt: skip
        assert part in said
    data = json.loads(run(capsys, "show", model, "--json"))
    assert data["projections"][1]["learning"]["rule"] == "TsodyksMarkram"
    assert data["projections"][1]["learning"]["initial"] == {"u": "0.25"}
    assert data["recordings"][1]["projection"] == "short"
    assert data["recordings"][1]["pre"] == "few[:3]"


def test_run_says_how_weights_moved(capsys: Any, model: Path, tmp_path: Path) -> None:
    out, png = tmp_path / "r.npz", tmp_path / "r.png"
    said = run(capsys, "run", model, "--out", out, "--plot", png)
    found = load_results(out)
    table = found.weights["learns"]
    assert len(table) == 16
    row = next(line for line in said.splitlines() if line.startswith("learns.weight (nA)")).split()
    numbers = [16, 5, 0, table.values[0].mean(), table.values[0].std()]
    numbers += [20, table.values[-1].mean(), table.values[-1].std()]
    assert [float(x) for x in row[2:]] == pytest.approx(numbers, rel=1e-3)
    assert row[5] != row[8], "they moved"
    assert image.imread(png).shape[0] > 400
    data = json.loads(run(capsys, "run", model, "--json"))
    assert [(x["projection"], x["variable"]) for x in data["synapses"]] == [
        ("learns", "weight"), ("short", "u"), ("short", "r"),
    ]  # fmt: skip
    assert data["synapses"][0]["end"]["mean"] == pytest.approx(table.values[-1].mean(), rel=1e-12)


def test_documents_run_the_same(capsys: Any, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    namespace: dict[str, Any] = {}
    exec(MODEL, namespace)
    pt.save(namespace["network"](), path)
    how = ("--backend", "reference", "--duration", "20 ms", "--dt", "1 ms")
    run(capsys, "run", path, *how, "--out", tmp_path / "a.npz")
    run(capsys, "run", model, "--out", tmp_path / "b.npz")
    a, b = (load_results(tmp_path / f"{n}.npz") for n in "ab")
    assert a.provenance["model_hash"] == b.provenance["model_hash"]
    np.testing.assert_array_equal(a.weights["learns"].values, b.weights["learns"].values)


# ---- results


def made(tables: dict[tuple[str, str], SynapseTable]) -> Results:
    return Results("net", "native", 0.1, 300, {"exc": 8}, {}, {}, {"seed": 3}, (), tables)


def table(
    n: int = 40, steps: tuple[int, ...] = (0, 100, 200, 300), unit: str = "nA", same: bool = False
) -> SynapseTable:
    rng = np.random.default_rng(2)
    moves = rng.normal(0, 0.02, (len(steps), n)).cumsum(0)
    values = np.full_like(moves, 0.5) if same else 0.5 + moves
    sources, targets = np.divmod(np.arange(n), 8)
    return SynapseTable(sources, targets, np.array(steps), 0.1, values, unit)


def test_neo_has_a_channel_for_each_connection(tmp_path: Path) -> None:
    results = made({
        ("a->b/x", "weight"): table(), ("a->b/x", "u"): table(unit="1"),
        ("odd", "weight"): table(steps=(0, 5, 300)),
        ("none", "weight"): table(0),
    })  # fmt: skip
    segment = results.to_neo().segments[0]
    first, second = segment.analogsignals
    (odd,) = segment.irregularlysampledsignals
    assert first.name == "a->b/x.weight"
    assert first.annotations == {"projection": "a->b/x", "variable": "weight"}
    assert (first.sampling_period, first.t_start, first.units) == (10 * pq.ms, 0 * pq.ms, pq.nA)
    assert second.units == pq.dimensionless
    np.testing.assert_array_equal(first.magnitude, results.weights["a->b/x"].values)
    np.testing.assert_array_equal(first.array_annotations["sources"], results.weights["a->b/x"].sources)
    np.testing.assert_array_equal(first.array_annotations["targets"], results.weights["a->b/x"].targets)
    np.testing.assert_array_equal(odd.times.rescale("ms").magnitude, [0.0, 0.5, 30.0])
    assert isinstance(odd, neo.IrregularlySampledSignal)
    path = tmp_path / "r.npz"
    save_results(results, path)
    again = load_results(path)
    assert again.synapses.keys() == results.synapses.keys()
    for key, kept in results.synapses.items():
        np.testing.assert_array_equal(again.synapses[key].values, kept.values)
        np.testing.assert_array_equal(again.synapses[key].targets, kept.targets)


def test_nix_keeps_the_channels(tmp_path: Path) -> None:
    nix = pytest.importorskip("neo.io.nixio")
    pytest.importorskip("nixio")
    wrote = made({("p", "weight"): table()}).to_neo()
    with nix.NixIO(str(tmp_path / "b.nix"), mode="ow") as file:
        file.write_block(wrote)
    with nix.NixIO(str(tmp_path / "b.nix"), mode="ro") as file:
        (back,) = file.read_block().segments[0].analogsignals
    (mine,) = wrote.segments[0].analogsignals
    np.testing.assert_array_equal(back.magnitude, mine.magnitude)
    np.testing.assert_array_equal(back.array_annotations["targets"], mine.array_annotations["targets"])
    assert back.annotations["projection"] == "p"


# ---- pictures


def text_of(figure: Any) -> str:
    return " ".join(figure._supxlabel.get_text().split())


def test_weights_over_time_and_at_both_ends(tmp_path: Path) -> None:
    results = made({("p", "weight"): table(), ("q", "u"): table(5, unit="1")})
    figure = weights(results, tmp_path / "w.png")
    left, right, below, _ = figure.axes
    assert left.get_ylabel() == "weight (nA)"
    assert below.get_ylabel() == "u"
    assert len(left.lines) == COURSES + 1
    assert len(below.lines) == 5 + 1
    mean = results.weights["p"].values.mean(axis=1)
    np.testing.assert_allclose(left.lines[-1].get_ydata(), mean)
    ends = [line.get_ydata()[-1] for line in left.lines[:-1]]
    last = results.weights["p"].values[-1]
    assert (min(ends), max(ends)) == (last.min(), last.max())
    assert ends == sorted(ends)
    for patch in right.patches:  # the shares of all connections are one
        shares = patch.get_data().values
        assert shares.sum() == pytest.approx(1.0)
    assert below.get_xlabel() == "time (ms)"
    assert left.get_xlim() == (0.0, 30.0)
    assert "12 of the recorded connections (40 of p)" in text_of(figure)
    assert image.imread(tmp_path / "w.png").shape[1] > 1000


def test_the_raster_has_them_below(tmp_path: Path) -> None:
    results = made({(f"p{i}", "weight"): table(same=i == 0) for i in range(5)})
    figure = raster(results, tmp_path / "r.png")
    assert [a.get_ylabel() for a in figure.axes[::2]] == ["weight (nA)"] * 3
    left_out = "p3.weight was recorded but is not drawn. p4.weight was recorded but is not drawn."
    assert left_out in text_of(figure)


def test_weights_of_nothing(tmp_path: Path) -> None:
    for tables in ({}, {("p", "weight"): table(0)}):
        figure = weights(made(tables), tmp_path / "w.png")
        assert "no weights were recorded" in [t.get_text() for t in figure.texts]


# ---- what cannot be said


def plastic() -> pt.Network:
    cells = pt.Population("cells", 4, pt.IF_curr_exp())
    p = pt.Projection(cells, cells, pt.OneToOne(), pt.STDP(0.1, w_max=1), name="learns")
    return pt.Network("n", [cells], [p], (), [pt.Record(p)])


def test_jlems_runs_what_was_read_from_a_file_only() -> None:
    assert "origin" in {s.feature for s in pt.check(plastic(), "jlems")}
