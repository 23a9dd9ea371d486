"""The reference cases pass on the backends, and each check fails for a model that is wrong on purpose."""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

import portable as pt
from portable.errors import ModelError
from portable.resolve.digest import model_hash
from portable.results import sorted_spikes
from portable.units import Quantity, quantity
from portable.validation.cases import CASES, Published, get, run_case
from portable.validation.cases.models.brunel2000 import REGIMES, brunel2000
from portable.validation.cases.models.microcircuit import microcircuit
from portable.validation.cases.models.vogels_abbott import BENCHMARKS, vogels_abbott
from portable.validation.cases.plasticity import short_network, window_network

QUICK = [name for name, case in CASES.items() if case.quick]
# In a run of everything all quick cases are run on native, and on the others (whose spikes the conformance
# suite holds to native's) those that are quick there, too; the reference is a Python loop over steps.
BRIEF = {"lif-f-i", "lif-psp", "stdp-window"}
ONE_CELL = ("lif", "stdp", "short")  # no networks, which take the reference minutes
SLOW, LONG = pytest.mark.slow, pytest.mark.long
KEPT = "potjans-diesmann"  # of the cases that take a minute and more, the one that every run of the suite has


def altered(network: pt.Network, change: Callable[[dict[str, Any]], None]) -> pt.Network:
    """The network with `change` made to its document."""
    document = copy.deepcopy(dict(pt.to_document(network)))
    change(document)
    return pt.from_document(document)


def cells(**by: float | str) -> Callable[[dict[str, Any]], None]:
    """A change of parameters of every cell that has them: v_thresh=1.0 adds 1 in the parameter's unit,
    tau_m="*1.1" multiplies.
    """

    def change(document: dict[str, Any]) -> None:
        touched = set()
        for population in document["populations"]:
            parameters = population["component"].get("parameters", {})
            for name in by.keys() & parameters.keys():
                by_factor = isinstance(by[name], str)
                parameters[name] = scaled(
                    parameters[name],
                    float(str(by[name])[1:]) if by_factor else 1.0,
                    0.0 if by_factor else float(by[name]),
                )
                touched.add(name)
        assert touched == by.keys()

    return change


def weights(factor: float) -> Callable[[dict[str, Any]], None]:
    """A change of every inhibitory weight."""

    def change(document: dict[str, Any]) -> None:
        for projection in document["projections"]:
            if projection["receptor"] == "inhibitory":
                projection["synapse"]["weight"] = scaled(projection["synapse"]["weight"], factor, 0.0)

    return change


def delays(more: float) -> Callable[[dict[str, Any]], None]:
    """A change of every delay, by `more` ms."""

    def change(document: dict[str, Any]) -> None:
        for projection in document["projections"]:
            projection["synapse"]["delay"] = scaled(projection["synapse"]["delay"], 1.0, more)

    return change


def scaled(given: Any, factor: float, offset: float) -> Any:
    """A quantity's text, or a distribution by its mean, times `factor`, plus `offset` in its unit."""
    if not isinstance(given, str):
        return {**given, "mean": scaled(given["mean"], factor, offset)}
    text = given
    old = quantity(text, text.split()[-1])
    return str(Quantity(old.value * factor + offset, old.unit))


def failures(name: str, network: pt.Network | None = None, backend: str = "native") -> list[Published]:
    case = get(name)
    published = case.check(run_case(case, backend, network))
    assert published
    return [p for p in published if not p.ok]


# --- Published
# ----------------------------------------------------------------------------------------------------


def number(measured: float, margin: float = 2.0) -> Published:
    return Published("rate", "Hz", 10.0, measured, margin, "")


def test_score_falls_off_beyond_the_margin() -> None:
    assert number(12.0).ok
    assert number(12.0).score == 1
    assert not number(14.0).ok
    assert number(14.0).score == pytest.approx(math.exp(-1))
    assert number(12.0001).score == pytest.approx(1, abs=1e-3)  # no jump at the margin
    assert number(10.0, 0.0).score == 1
    assert number(10.1, 0.0).score == 0


@pytest.mark.parametrize("margin", [0.0, 2.0, math.inf])
def test_nothing_measured_is_never_a_pass(margin: float) -> None:
    assert not number(math.nan, margin).ok
    assert number(math.nan, margin).score == 0


def silenced(results: pt.Results) -> pt.Results:
    """The same run with all spikes of its last half gone."""
    tables = {
        n: sorted_spikes(t.ids[kept], t.steps[kept], t.dt, t.recorded)
        for n, t in results.spikes.items()
        for kept in [t.steps < results.steps // 2]
    }
    return replace(results, spikes=tables)


def test_a_network_that_died_is_left_out_and_never_a_pass() -> None:
    case = get("coba")
    runs = run_case(case)
    some = case.check([silenced(runs[0]), *runs[1:]])
    assert some[0].measured == len(runs) - 1
    assert some[0].ok
    assert some[1].measured == case.check(runs[1:])[1].measured  # of those alive
    none = case.check([silenced(r) for r in runs])
    assert none[0].measured == 0
    assert not any(p.ok for p in none)


def test_a_case_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="did you mean 'lif-psp'"):
        get("lif-pps")


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_cited_and_complete(name: str) -> None:
    case = CASES[name]
    assert case.name == name
    assert case.citation.doi.startswith("10.")
    assert 1950 < case.citation.year < 2030
    assert 0 <= case.warmup < case.duration
    assert case.network() == case.network()


# --- The cases on the backends
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUICK)
def test_quick_case_passes_on_the_native_engine(name: str) -> None:
    assert failures(name) == []


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=SLOW if n == KEPT else LONG) for n in CASES if n not in QUICK]
)
def test_long_case_passes_on_the_native_engine(name: str) -> None:
    needed, there = get(name).memory, psutil.virtual_memory().available / 2**30
    if there < 1.3 * needed:
        pytest.skip(f"needs {needed:g} GiB of memory, {there:.1f} are free")
    assert failures(name) == []


def test_full_microcircuit_is_told_from_a_smaller_one() -> None:
    """At a twentieth of its size the rates are others, whatever the scaling does: the check must see it."""
    case = get("potjans-diesmann-full")
    small = [pt.run(microcircuit(0.05), "native", case.duration, case.dt, seed) for seed in case.seeds]
    assert any(not p.ok for p in case.check(small))


@pytest.mark.parametrize(
    "name", [n if n in BRIEF else pytest.param(n, marks=LONG) for n in QUICK if n.startswith(ONE_CELL)]
)
def test_case_passes_on_the_reference(name: str) -> None:
    assert failures(name, backend="reference") == []


@pytest.mark.parametrize("simulator", ["nest", "brian2"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW if n == "cuba" else LONG) for n in QUICK])
def test_quick_case_passes_on_other_simulators(name: str, simulator: str) -> None:
    pytest.importorskip(simulator)
    if short := pt.check(get(name).network(), simulator, dt=get(name).dt):  # the suite says so in its cell
        pytest.skip(f"{simulator} cannot: {', '.join(dict.fromkeys(s.feature for s in short))}")
    assert failures(name, backend=simulator) == []


# --- The models
# ----------------------------------------------------------------------------------------------------


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"example_{name}", Path(__file__).parents[1] / "examples" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODELS = {
    "microcircuit": [(microcircuit(scale), {"scale": scale}) for scale in (0.1, 0.3, 1.0)],
    "brunel2000": [
        (brunel2000(regime, scale), {"regime": regime, "scale": scale})
        for regime in REGIMES
        for scale in (0.1, 1.0)
    ],
    **{name: [(vogels_abbott(name), {})] for name in BENCHMARKS},
}


@pytest.mark.parametrize(
    ("name", "which"), [(name, i) for name, models in MODELS.items() for i in range(len(models))]
)
def test_model_of_a_case_is_the_example_s(name: str, which: int) -> None:
    model, options = MODELS[name][which]
    shown = example(name).network(**options)
    assert model == shown
    assert model_hash(model) == model_hash(shown)


# --- Wrong models
# ----------------------------------------------------------------------------------------------------

# A refractory period 1 ms longer changes no rate of the microcircuit or of Brunel's AI state beyond the
# margins: cells that fire below 40 Hz in a network that regulates itself hardly feel it. The cases of single
# cells see it.
WRONG: dict[str, list[Callable[[dict[str, Any]], None]]] = {
    "lif-f-i": [
        cells(v_thresh=0.1),
        cells(tau_m="*1.01"),
        cells(tau_refrac=0.1),
        cells(v_reset=-0.1),
        cells(cm="*1.01"),
    ],
    "lif-psp": [cells(tau_m="*1.001"), cells(cm="*1.001"), cells(v_rest=0.001)],
    "lif-membrane-noise": [cells(tau_m="*1.2"), cells(cm="*1.2"), cells(v_rest=1.0)],
    "lif-poisson-delta": [cells(v_thresh=1.0), cells(tau_m="*1.1"), cells(v_reset=-5.0)],
    "lif-poisson-exponential": [cells(v_thresh=1.0), cells(tau_m="*1.1"), cells(cm="*1.1")],
    "potjans-diesmann": [cells(v_thresh=0.5), cells(tau_m="*1.05"), weights(1.1)],
    "brunel-ai-small": [cells(v_thresh=2.0), cells(tau_m="*0.8"), cells(v_reset=-10.0), weights(1.1)],
    "brunel-sr": [delays(0.5), cells(tau_refrac=2.0), weights(2.0)],
    "brunel-ai": [cells(v_thresh=1.0), cells(tau_m="*0.9"), weights(1.1)],
    "brunel-si-fast": [cells(v_thresh=3.0), delays(0.5), weights(1.2)],
    "coba": [cells(v_thresh=2.0), cells(tau_syn_I="*1.3"), cells(tau_refrac=2.0)],
    "cuba": [cells(v_thresh=0.2), cells(tau_syn_E="*1.1"), cells(tau_m="*1.2")],
    "cobahh": [cells(tau_syn_I="*0.5"), cells(tau_syn_E="*2.0")],
    "voltage-jump": [cells(v_thresh=0.2), cells(tau_m="*1.1"), weights(1.2)],
    "brunel-si-slow": [cells(v_thresh=1.0), cells(tau_m="*0.8"), weights(1.2)],
}


@pytest.mark.parametrize(
    ("name", "which"),
    [
        pytest.param(name, i, marks=[] if get(name).quick else SLOW if (name, i) == (KEPT, 0) else LONG)
        for name, changes in WRONG.items()
        for i in range(len(changes))
    ],
)
def test_wrong_model_fails(name: str, which: int) -> None:
    assert failures(name, altered(get(name).network(), WRONG[name][which]))


# Of connections that learn: other parameters of their rule.
WRONG_RULES: dict[str, tuple[Callable[..., pt.Network], list[dict[str, Any]]]] = {
    "stdp-window": (
        window_network,
        [
            {"tau_plus": "17.001 ms"},
            {"a_minus": 0.0060001},
            {"dendritic_delay_fraction": 0.5},
            {"mu_plus": 0.01},
        ],
    ),
    "short-term-plasticity": (
        short_network,
        [{"U": 0.500001}, {"tau_rec": "800.01 ms"}, {"tau_facil": "0.1 ms"}],
    ),
}


@pytest.mark.parametrize(
    ("name", "which"), [(n, i) for n, (_, changes) in WRONG_RULES.items() for i in range(len(changes))]
)
def test_wrong_rule_fails(name: str, which: int) -> None:
    make, changes = WRONG_RULES[name]
    assert failures(name, make(**changes[which]))


def test_every_case_has_wrong_models() -> None:
    seen = (
        WRONG.keys() | WRONG_RULES.keys() | {"potjans-diesmann-full"}
    )  # that one above, with a smaller network
    assert seen == CASES.keys()
