"""Export as NeuroML and LEMS without running it: schema, annotation, texts of expressions, HDF5, files whole
or not at all, bad input.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.conformance.test_cells import NAMES, network
from portable.dynamics.evaluate import evaluate
from portable.dynamics.grammar import parse
from portable.errors import BackendUnavailable, ModelError
from portable.resolve import resolve
from portable.schemas.neuroml.write_annotation import network_from_annotation
from portable.schemas.neuroml.write_expressions import Writer
from portable.schemas.neuroml.write_lems import write_lems
from portable.schemas.neuroml.write_units import _CORE, Units
from portable.units import CONDUCTANCE, CURRENT, NONE, TIME, VOLTAGE, Dimension, coherent_power

etree = pytest.importorskip("lxml.etree")
h5py = pytest.importorskip("h5py")
NML = "{http://www.neuroml.org/schema/neuroml2}"


def random_network(recorded: bool = True) -> pt.Network:
    exc = pt.Population("exc", 30, pt.IF_curr_exp(tau_refrac="2 ms"), initial={"v": pt.Uniform(-65, -50)})
    noise = pt.Population("noise", 30, pt.SpikeSourcePoisson(rate="100 Hz"))
    return pt.Network(
        'a <"random"> & odd\'s name',
        [exc, noise],
        [
            pt.Projection(
                exc,
                exc,
                pt.FixedInDegree(5),
                pt.StaticSynapse(pt.Normal("50 pA", "5 pA"), pt.Uniform("0.5 ms", "3 ms")),
                name='to "all" <&>',
            ),
            pt.Projection(noise, exc, pt.OneToOne(), pt.StaticSynapse("0.1 nA", "1 ms")),
        ],
        [pt.Injection(pt.DCSource("0.1 nA", start=5), exc)],
        [pt.Record(exc, ["spikes", "v"])] if recorded else [],
    )


def schema() -> object:
    from portable.schemas.neuroml.xsd import schema as bundled

    try:
        return bundled()
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("types", ["auto", "core", "custom"])
@pytest.mark.parametrize("name", [*NAMES, "random"])
def test_network_files_are_valid_neuroml(name: str, types: str, tmp_path: Path) -> None:
    """Whatever the cells are, the .net.nml holds pure NeuroML: it passes the XML Schema that libNeuroML
    brings.
    """
    net = random_network() if name == "random" else network(name)
    made = pt.write_neuroml(net, tmp_path, duration="20 ms", types=types)
    root = etree.parse(str(tmp_path / next(f for f in made.files if f.endswith(".net.nml")))).getroot()
    assert schema().validate(root), schema().error_log  # type: ignore[attr-defined]


def test_jnml_validates_a_pure_file(tmp_path: Path) -> None:
    from portable.backends.jneuroml import java

    try:
        java.found()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    made = pt.write_neuroml(network("IF_curr_exp"), tmp_path, duration="50 ms")
    assert not any(f.endswith(".types.xml") for f in made.files)
    with java.command() as start:
        out = subprocess.run(
            [*start, "-validate", "single_IF_curr_exp.net.nml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert "Valid against schema and all tests" in out.stdout, out.stdout


@pytest.mark.parametrize("hdf5", [False, True])
def test_the_network_is_kept_with_its_rules(hdf5: bool, tmp_path: Path) -> None:
    net = random_network()
    made = pt.write_neuroml(net, tmp_path, hdf5_above=0 if hdf5 else None, duration="10 ms")
    if hdf5:
        with h5py.File(tmp_path / made.files[0]) as file:
            root = etree.fromstring(bytes(file["neuroml"].attrs["neuroml_top_level"]))
    else:
        root = etree.parse(str(tmp_path / made.files[0])).getroot()
    assert network_from_annotation(root) == net
    bare = pt.write_neuroml(net, tmp_path / "bare", keep=False, simulation=False)
    assert network_from_annotation(etree.parse(str(bare.path)).getroot()) is None


def test_a_broken_annotation_is_named() -> None:
    root = etree.fromstring(
        '<neuroml><annotation><property tag="https://portable-snn.org/network/1" '
        'value="{&quot;portable&quot;: 7"/></annotation></neuroml>'
    )
    with pytest.raises(ModelError, match=r"annotation/property.*is no JSON"):
        network_from_annotation(root)


def test_connections_are_those_of_the_program() -> None:
    """Every connection of the XML: source, target, weight in nA, and a delay that is a step longer for
    NeuroML's synapses.
    """
    program = resolve(random_network(), 5, 0.1)
    files = write_lems(program, steps=100, timing="nominal", types="core")
    root = etree.fromstring(str(files.files[files.network]).encode())
    found = set()
    for p in root.iter(NML + "projection"):
        for c in p:
            pre, post = ((x.get(k)[3:]) for k, x in (("preCellId", c), ("postCellId", c)))
            found.add((pre, post, float(c.get("weight")), c.get("delay")))
    want = set()
    for c in program.connections:
        weights, delays = np.broadcast_to(c.weights, c.count), np.broadcast_to(c.delays, c.count)
        for i, j, w, d in zip(c.sources(), c.targets, weights, delays, strict=True):
            want.add(
                (
                    files.path(c.pre, int(i)),
                    files.path(c.post, int(j)),
                    float(w) / 1000.0,
                    f"{float(np.round(d * 0.1, 9))!r} ms",
                )
            )
    assert found == want
    late = write_lems(program, steps=100, types="core")
    assert 'delay="1.999 ms"' in str(late.files[late.network])  # 1 ms, a step more, 0.01 steps early


def test_poisson_trains_are_those_of_the_seed() -> None:
    from portable.resolve import poisson

    program = resolve(random_network(), 5, 0.1)
    files = write_lems(program, steps=500, timing="nominal")
    root = etree.fromstring(str(files.files[files.network]).encode())
    arrays = {
        a.get("id"): [float(s.get("time").split()[0]) for s in a] for a in root.iter(NML + "spikeArray")
    }
    components = {p.get("id"): p.get("component") for p in root.iter(NML + "population")}
    group = program.group("noise")
    counts = poisson.counts(group, poisson.table(group, 0.1), 1, 500)  # type: ignore[arg-type]
    for i in range(30):
        mine = arrays[components[files.path("noise", i).partition("[")[0]]]
        np.testing.assert_allclose(mine, np.repeat(np.arange(1, 501), counts[:, i]) * 0.1, atol=1e-9)
    assert sum(map(len, arrays.values())) == counts.sum() > 50


def test_hdf5_says_what_float32_loses(tmp_path: Path) -> None:
    """The largest errors are those between the arrays in the file and the program's."""
    net = random_network()
    made = pt.write_neuroml(net, tmp_path, duration="10 ms", seed=2, hdf5_above=0)
    program = resolve(net, 2, 0.1)
    block = next(c for c in program.connections if c.pre == "exc")
    note = next(a for a in made.approximations if a.where == "weights")
    worst = 0.0
    with h5py.File(tmp_path / made.files[0]) as file:
        network_group = file["neuroml/network"]
        assert (
            sum(g[k].shape[0] for n, g in network_group.items() if n.startswith("projection_") for k in g)
            == program.synapses
        )
        wrote = np.concatenate(
            [g[k][:, 2] for n, g in network_group.items() if n.startswith("projection_") for k in g]
        ).astype(float)
        want = (
            np.concatenate([np.atleast_1d(np.broadcast_to(c.weights, c.count)) for c in program.connections])
            / 1000.0
        )
        worst = float(np.abs(np.sort(wrote) - np.sort(want)).max() / want.min())
        assert network_group["population_noise_0"].attrs["size"] == 1 or "population_noise" in network_group
    assert block.count == 150
    claimed = float(note.largest_error.split()[0])
    assert 0 < claimed <= 6.1e-8  # half a unit of float32's 24th bit
    assert worst < 10 * claimed  # in units of the smallest weight


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network("IF_cond_exp")
    done = []
    real = os.replace

    def failing(a: object, b: object) -> None:
        if len(done) == 2:
            raise OSError("no space")
        done.append(b)
        real(a, b)  # type: ignore[arg-type]

    monkeypatch.setattr("portable.files.os.replace", failing)
    with pytest.raises(OSError, match="no space"):
        pt.write_neuroml(net, tmp_path / "out", duration="10 ms")
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.undo()
    made = pt.write_neuroml(net, tmp_path / "out", duration="10 ms")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(made.files)
    assert made.main == "LEMS_single_IF_cond_exp.xml"
    assert "IF_cond_exp.net.nml (" in repr(made)
    assert "forward Euler" in repr(made)


def test_it_is_a_pure_function() -> None:
    program = resolve(random_network(), 1, 0.1)
    assert write_lems(program, steps=50).files == write_lems(program, steps=50).files


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"types": "best"}, "types: unknown word 'best'"),
        ({"timing": 1}, "timing: unknown word 1"),
        ({"inputs": "hot"}, "inputs: unknown word 'hot'"),
        ({"dt": 0}, "dt: must be > 0 ms"),
        ({"duration": "0.05 ms"}, "duration: must be a whole number of steps"),
    ],
)
def test_bad_options(how: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        pt.write_neuroml(random_network(), tmp_path / "x", **how)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_what_is_not_a_network(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a Network"):
        pt.write_neuroml("net", tmp_path)  # type: ignore[arg-type]


def test_random_draws_are_the_simulators_own() -> None:
    kind = pt.cell_type(
        "Jumpy",
        equations="dv/dt = 0 mV/ms : mV",
        threshold="v > 1 mV",
        reset="v = random(1 mV)",
        parameters={},
    )
    made = write_lems(resolve(pt.Network("n", [pt.Population("p", 1, kind())]), 0, 0.1), steps=1)
    assert "random(1)" in str(made.files["n.types.xml"])
    assert any(a.where == "population 'p'" and "drawn by the simulator" in a.got for a in made.approximations)


def test_links_are_refused() -> None:
    gap = pt.cell_type(
        "Gap", equations="dv/dt = (v_peer - v)/tau : mV", parameters={"tau": "5 ms"}, inputs={"v_peer": "mV"}
    )
    p = pt.Population("p", 2, gap())
    net = pt.Network("n", [p], links=[pt.Link(p, "v", p, "v_peer")])
    with pytest.raises(ModelError, match="continuous coupling"):
        write_lems(resolve(net, 0, 0.1), steps=1)


def test_core_units_are_coherent() -> None:
    """Every unit that is taken from the core types has the power of our coherent unit, and every dimension
    its exponents.
    """
    core = pytest.importorskip("portable.schemas.neuroml.core")
    try:
        model = core.model()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    for d, (name, symbol) in _CORE.items():
        if d != NONE:
            assert tuple(model.dimensions[name].exponents) == tuple(d), name
        if symbol:
            unit = model.units[symbol]
            assert (unit.dimension, unit.power, unit.scale, unit.offset) == (
                name,
                coherent_power(d),
                1.0,
                0.0,
            )


def test_numbers_keep_their_last_bit() -> None:
    units = Units()
    assert units.number(-65.1, VOLTAGE) == "-65.1 mV"
    assert units.number(0.1 + 0.2, CONDUCTANCE) == "0.30000000000000004 nS"
    odd = CURRENT.over(TIME)
    assert units.number(3.0, odd) == "3.0 coherent_dim_tm1_i1"
    assert units.elements() == [
        '<Dimension name="dim_tm1_i1" t="-1" i="1"/>',
        '<Unit symbol="coherent_dim_tm1_i1" dimension="dim_tm1_i1" power="-9"/>',
    ]


VALUES = {"x": -2.5, "y": 0.3, "v": -61.0, "z": 1e-7}
DIMS: dict[str, Dimension] = {"x": NONE, "y": NONE, "z": NONE, "v": VOLTAGE}


@pytest.mark.parametrize(
    "text",
    [
        "-x^2",
        "2*-x^2",
        "x - -y",
        "2^3^2",
        "x^-2",
        "min(x, y)*max(x, y, )" if False else "min(x, y)*max(x, y)",
        "floor(x) + ceil(y)",
        "abs(x)*abs(v/mV)",
        "log10(100*y)",
        "where(x > 0, y, where(y > 0.2, 7, 8))",
        "(x > 0)*3 + (not (x > 0 or y > 1))",
        "H(x) + H(y) + H(0*x)",
        "expm1(z)*1e7",
        "exprel(z)",
        "exprel(x)",
        "expm1(x)",
        "sqrt(v*v)/mV",
        "v^2/(mV*mV)",
        "(v/mV)^3",
        "1.5e-3*x",
        "exp(x)/(1 + exp(-x))",
        "where(v > -60 mV and x < 0 or y == 0.3, v, 0)/mV",
        "factorial(3)*y",
    ],
)
def test_expressions_mean_the_same_in_lems(text: str) -> None:
    """Read back by our grammar of LEMS files, with its lines evaluated in order, an expression has the value
    it had: to rounding, and to 1e-9 where exp(x) - 1 stands for expm1(x)."""
    expr = parse(text, frozenset(DIMS))
    writer = Writer(Units(), dict(DIMS), "here", set(DIMS))
    written = writer.number(expr)
    values: dict[str, float] = dict(VALUES)
    lines = writer.take()
    values |= {n: v for (v, _), n in writer.constants.items()}
    for line in lines:
        chosen = next((value for test, _, value in line.cases if evaluate(_lems(test), values)), line.default)
        refused = [bool(evaluate(_lems(opposite), values)) for _, opposite, _ in line.cases]
        assert refused == [not evaluate(_lems(test), values) for test, _, _ in line.cases]
        values[line.name] = float(evaluate(_lems(chosen), values))
    assert "-x" not in written.replace(" - ", " minus ")
    np.testing.assert_allclose(
        evaluate(_lems(written), values), evaluate(expr, VALUES), rtol=1e-9 if "exp" in text else 1e-14
    )


def _lems(text: str) -> object:
    return parse(text, lems=True)
