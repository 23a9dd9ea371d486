"""Bad input at the time of a run: one clear error each, nothing half-written, the session still usable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.contract import Facts, Recorded


def cells(**parameters: Any) -> tuple[pt.Network, pt.Population]:
    population = pt.Population("cells", 4, pt.IF_curr_exp(i_offset=0.9, **parameters))
    return pt.Network("bad", [population], recordings=[pt.Record(population, "spikes")]), population


def test_unknown_backend_suggests() -> None:
    with pytest.raises(
        pt.BackendNotFound, match=r"no backend 'nset'; did you mean 'nest'\?; installed: .*reference"
    ):
        pt.run(cells()[0], "nset")


def test_missing_simulator_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(registry.get("nest")), "version", lambda _self: None)
    with pytest.raises(pt.BackendUnavailable, match=r"pip install 'portable-snn\[nest\]'"):
        pt.run(cells()[0], "nest")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"duration": "10.05 ms"},
            r"duration: must be a whole number of steps of 0.1 ms and 0 or more, got 10.05 ms; for example",
        ),
        ({"duration": "10 mV"}, r"duration: must be a time \(ms\), got 10.0 mV which is voltage \(mV\)"),
        ({"duration": -1.0}, "duration: must be a whole number of steps"),
        ({"dt": 0.0}, "dt: must be > 0 ms"),
        ({"dt": float("nan")}, "dt: must be finite"),
        ({"integrator": "rk5"}, r"integrator: unknown integrator 'rk5'; did you mean 'rkf45'\?"),
        ({"inputs": "cold"}, "inputs: must be 'auto', 'frozen' or 'native', got 'cold'"),
        ({"threads": 0}, "threads: must be a whole number > 0, got 0"),
    ],
)
def test_run_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(pt.ModelError, match=message):
        pt.run(cells()[0], "reference", **{"duration": "1 ms", **arguments})


def test_delay_off_the_grid_names_the_projection() -> None:
    population = pt.Population("cells", 4, pt.IF_curr_exp())
    net = pt.Network(
        "grid",
        [population],
        [pt.Projection(population, population, pt.AllToAll(), pt.StaticSynapse(0.1, 1.234))],
    )
    with pytest.raises(pt.ModelError, match=r"cells->cells/excitatory.*delay.*1\.234"):
        pt.run(net, "reference", "1 ms")
    assert pt.run(net, "reference", "1 ms", dt="0.001 ms").steps == 1000


def test_too_large_for_memory_is_refused_before_it_is_built() -> None:
    population = pt.Population("cells", 3_000_000, pt.IF_curr_exp())
    net = pt.Network(
        "huge",
        [population],
        [pt.Projection(population, population, pt.FixedInDegree(100_000), pt.StaticSynapse(0.1, 1.0))],
    )
    with pytest.raises(pt.ModelError, match=r"(?s)GiB.*GiB"):
        pt.run(net, "native", "1 ms")


def test_all_shortfalls_at_once() -> None:
    net, population = cells()
    quadratic = pt.cell_type("q", equations="dv/dt = v*v/(1 mV*ms) : mV", parameters={})
    second = pt.Population("second", 1, quadratic(), initial={"v": -1.0})
    both = pt.Network("two", [population, second], recordings=net.recordings)
    with pytest.raises(pt.UnsupportedError) as caught:
        pt.run(both, "reference", "1 ms", integrator="exact", compact=True, options={"optimise": 1})
    text = str(caught.value)
    assert len(caught.value.shortfalls) == 3
    assert "float32" in text
    assert "optimise" in text
    assert "'second'" in text


class _Breaking:
    """A session that raises after some steps; stands for a simulator that fails in the middle."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.now = error, 0

    def run(self, steps: int) -> None:
        if self.now + steps > 100:
            raise self.error
        self.now += steps

    def set(self, group: str, values: Any) -> None: ...

    def recorded(self) -> Recorded:
        return Recorded({"cells": (np.array([1]), np.array([self.now]))})

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None: ...


def test_simulator_that_raises_keeps_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = registry.get("reference")
    monkeypatch.setattr(type(backend), "open", lambda _self, _plan: _Breaking(RuntimeError("kernel trouble")))
    net, _ = cells()
    with pt.open(net, "reference") as sim:
        sim.run("10 ms")
        with pytest.raises(
            pt.BackendFailed, match="backend 'reference' failed: RuntimeError: kernel trouble"
        ) as caught:
            sim.run("1 ms")
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert sim.time == 10.0
        assert list(sim.results().spikes["cells"].steps) == [100]


def test_interrupt_returns_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = registry.get("reference")
    monkeypatch.setattr(type(backend), "open", lambda _self, _plan: _Breaking(KeyboardInterrupt()))
    with pytest.warns(UserWarning, match="interrupted at 10 ms of 50 ms"):
        results = pt.run(cells()[0], "reference", "50 ms")
    assert results.provenance["interrupted"]
    assert results.steps == 100


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_numerical_blow_up_names_the_cell(backend: str) -> None:
    quadratic = pt.cell_type(
        "explodes", equations="dv/dt = v*v/(1 mV*ms) : mV", parameters={}, integrator="rk4"
    )
    population = pt.Population("boom", 3, quadratic(), initial={"v": [0.0, 5.0, 0.0]})
    net = pt.Network("boom", [population], recordings=[pt.Record(population, "v")])
    with pytest.raises(pt.BackendFailed, match=r"'boom'.*\bv\b"):
        pt.run(net, backend, "20 ms")


@pytest.mark.needs("session.set")
def test_bad_set_leaves_the_session_usable(backend: str) -> None:
    net, population = cells()
    with pt.open(net, backend, needs=["session.pieces", "session.set"]) as sim:
        sim.run("5 ms")
        with pytest.raises(pt.ModelError, match=r"tau_mm.*did you mean 'tau_m'"):
            sim.set(population, tau_mm=1.0)
        with pytest.raises(pt.ModelError, match=r"tau_m.*> 0 ms"):
            sim.set(population, tau_m="-1 ms")
        sim.run("5 ms")
        assert sim.steps == 100
    with pytest.raises(pt.ModelError, match="is closed"):
        sim.run("1 ms")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda n: pt.validate(n, "native"), "needs two or more different backends, got native"),
        (lambda n: pt.compare(n, "native"), "needs two or more different backends, got native"),
        (lambda n: pt.validate(n, 5), "backends: must be names, got 5"),
        (lambda n: pt.compare(n, [1, 2]), "backend: must be one name, got 1"),
        (lambda n: pt.run(n, ["native"]), r"backend: must be one name, got \['native'\]"),
        (lambda n: pt.check(n, ["native"]), "backend: must be one name"),
        (lambda n: pt.validate(n, "native,reference", seeds="10"), "seeds: must be a number of seeds, or a"),
        (lambda n: pt.validate(n, "native,reference", seeds=1.5), "seeds: must be a number of seeds, or a"),
    ],
)
def test_a_text_where_a_list_is_meant_and_the_reverse(call, said):
    """The letters of a name are no backends."""
    cells = pt.Population("a", 2, pt.IF_curr_exp())
    with pytest.raises(pt.ModelError, match=said):
        call(pt.Network("n", [cells], recordings=[pt.Record(cells)]))


def test_names_with_commas_between_are_a_list():
    cells = pt.Population("a", 2, pt.IF_curr_exp(i_offset="1 nA"))
    network = pt.Network("n", [cells], recordings=[pt.Record(cells)])
    assert pt.compare(network, "reference, native", duration=50).identical
