"""Network -> Program: the same for every thread, order and process; each element has its own stream; sizes
are known before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import portable as pt
from portable.resolve import check_memory, estimate, resolve, values_for
from portable.resolve.digest import model_hash
from portable.resolve.program import CellGroup, Program

CONNECTORS = {
    "all": pt.AllToAll(),
    "one": pt.OneToOne(),
    "p": pt.FixedProbability(0.15),
    "in": pt.FixedInDegree(30),
    "in once": pt.FixedInDegree(30, False),
    "total": pt.FixedTotalNumber(30_000),
    "total once": pt.FixedTotalNumber(30_000, False, False),
}


def network(extra: bool = False, size: int = 300, connectors=CONNECTORS) -> pt.Network:
    """Everything that is drawn. With `extra`, one more of each kind of element, before the others where order
    could matter.
    """
    cell = pt.IF_curr_exp(tau_m=pt.Normal(20.0, 2.0, low=5.0), tau_refrac=pt.Uniform(1.0, 3.0))
    exc = pt.Population("exc", size, cell, initial={"v": pt.Uniform(-65.0, -50.0)})
    other = pt.Population("other", size, cell, initial={"v": pt.Uniform(-65.0, -50.0)})
    noise = pt.Population("noise", size, pt.SpikeSourcePoisson(rate=pt.Uniform(1.0, 50.0)))
    synapse = pt.StaticSynapse(pt.Normal("20 pA", "2 pA", low=0, clip=True), pt.Normal(1.5, 0.75, low=0.1))
    projections = [pt.Projection(exc, exc, c, synapse, name=n) for n, c in connectors.items()]
    projections += [pt.Projection([exc, noise], [other, exc], pt.FixedInDegree(20), synapse, name="lists")]
    inputs = [pt.Injection(pt.DCSource(pt.Normal("0.1 nA", "0.01 nA")), exc[:50])]
    new = pt.Population("new", 50, cell)
    if extra:
        projections.insert(0, pt.Projection(new, exc, pt.FixedTotalNumber(500), synapse))
        inputs.insert(0, pt.Injection(pt.DCSource(pt.Normal("0.1 nA", "0.01 nA")), exc[50:]))
    return pt.Network(
        "n",
        [*([new] if extra else []), exc, other, noise],
        projections,
        inputs,
        [pt.Record(exc, ["spikes", "v"])],
    )


def arrays(program: Program) -> dict[str, np.ndarray]:
    """Every number that was drawn, by name."""
    out: dict[str, np.ndarray] = {}
    for g in program.groups:
        for f in dataclasses.fields(g):
            if f.name == "key" and isinstance(g, CellGroup):
                # the stream of random() in equations: nothing here draws from it, and it is younger than the
                # digest below
                continue
            v = getattr(g, f.name)
            if f.name in ("parameters", "initial"):
                out |= {f"{g.name}.{k}": np.asarray(x) for k, x in v.items()}
            elif f.name not in ("name", "flat", "stop"):
                out[f"{g.name}.{f.name}"] = np.asarray(v)
    for c in program.connections:
        out |= {
            f"{c.name}.{k}": np.asarray(getattr(c, k)) for k in ("indptr", "targets", "weights", "delays")
        }
    out |= {f"current {i}": c.amplitude for i, c in enumerate(program.currents)}
    return out


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for k in a:
        assert a[k].dtype == b[k].dtype, k
        assert a[k].tobytes() == b[k].tobytes(), k


@pytest.fixture(scope="module")
def base() -> dict[str, np.ndarray]:
    return arrays(resolve(network(), 42, threads=1))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_threads_do_not_matter(base, count):
    """At 300 cells most loops are below the size that starts threads; 90 000 synapses of "all" and 30 000 of
    others are above.
    """
    same(arrays(resolve(network(), 42, threads=count)), base)


def test_threads_do_not_matter_for_many_cells():
    """25 000 rows, so that loops over rows and cells are split as well."""
    few = {
        "p": pt.FixedProbability(1e-4),
        "in": pt.FixedInDegree(2, True, False),
        "once": pt.FixedInDegree(2, False),
        "total": pt.FixedTotalNumber(60_000, True, False),
    }
    one = arrays(resolve(network(size=25_000, connectors=few), 1, threads=1))
    same(arrays(resolve(network(size=25_000, connectors=few), 1, threads=4)), one)


def test_a_seed_means_the_same_network_for_ever(base):
    """The sha256 of every array. A change here changes every published network: it needs a new major version
    and a note.
    """
    digest = hashlib.sha256()
    for k in sorted(base):
        digest.update(k.encode() + base[k].tobytes())
    assert digest.hexdigest() == GOLDEN


GOLDEN = "2a895e24dfd41c5568db9adcda27755f95d7f2e01c522d8a4cd418dbaa448391"


def test_another_seed_is_another_network(base):
    changed = arrays(resolve(network(), 43))
    drawn = [
        k
        for k in base
        if k.endswith((".tau_m", ".v", ".weights", ".delays", ".rate", "refractory", ".key", "current 0"))
    ]
    assert len(drawn) > 20
    for k in drawn:
        assert base[k].shape != changed[k].shape or not np.array_equal(base[k], changed[k]), k


def test_adding_elements_changes_no_other(base):
    """A population, a projection and an injection more, each before the others."""
    more = arrays(resolve(network(extra=True), 42))
    new = {k for k in more if k.startswith("new")} | {"current 0", "current 1"}
    assert np.array_equal(more["current 1"], base["current 0"])
    same({k: v for k, v in more.items() if k not in new}, {k: v for k, v in base.items() if k != "current 0"})


def test_elements_of_one_shape_are_independent(base):
    """Two populations with the same distributions: correlation within 5/sqrt(300)."""
    for name in ("tau_m", "v", "tau_refrac"):
        assert abs(np.corrcoef(base[f"exc.{name}"], base[f"other.{name}"])[0, 1]) < 5 / np.sqrt(300)
    assert abs(np.corrcoef(base["exc.tau_m"], base["exc.v"])[0, 1]) < 5 / np.sqrt(300)
    assert abs(np.corrcoef(base["all.weights"][:300], base["exc.tau_m"])[0, 1]) < 5 / np.sqrt(300)


def test_weights_and_delays_are_independent_of_each_other(base):
    n = base["all.weights"].size
    assert abs(np.corrcoef(base["all.weights"], base["all.delays"])[0, 1]) < 5 / np.sqrt(n)
    assert abs(np.corrcoef(base["all.weights"], base["all.targets"])[0, 1]) < 5 / np.sqrt(n)
    assert abs(np.corrcoef(base["all.delays"], base["all.targets"])[0, 1]) < 5 / np.sqrt(n)


def test_drawn_weights_are_float32_without_loss_and_weights32_changes_nothing_of_them(base):
    assert all(v.dtype == np.float32 for k, v in base.items() if k.endswith(".weights") and v.ndim)
    program = resolve(network(), 42, weights32=True)
    same(arrays(program), base)
    assert not [a for a in program.approximations if a.got == "float32"]


def test_weights32_rounds_the_arrays_of_a_user_and_says_by_how_much():
    """0.1 in float32 is off by 1.5e-8 of itself; 0.5 and 0 are not, and then nothing is said."""
    cells = pt.Population("a", 3, pt.IF_curr_exp())

    def weights(numbers, weights32):
        synapse = pt.StaticSynapse(pt.Array(numbers, "pA"))
        program = resolve(
            pt.Network("n", [cells], [pt.Projection(cells, cells, pt.OneToOne(), synapse)]),
            1,
            weights32=weights32,
        )
        return program.connections[0].weights, program.approximations

    exact, notes = weights([0.1, 0.5, 0.0], False)
    assert exact.dtype == np.float64
    assert (exact.tolist(), notes) == ([0.1, 0.5, 0.0], ())
    rounded, (note,) = weights([0.1, 0.5, 0.0], True)
    assert rounded.dtype == np.float32
    assert (note.where, note.got, note.largest_error) == (
        "projection 'a->a/excitatory'.weight",
        "float32",
        "relative 1.5e-08",
    )
    assert weights([0.25, 0.5, 0.0], True)[1] == ()


def test_lists_are_split_by_group(base):
    names = {k.rsplit(".", 1)[0] for k in base if k.startswith("lists")}
    assert names == {"lists[exc->other]", "lists[exc->exc]", "lists[noise->other]", "lists[noise->exc]"}
    for target in ("other", "exc"):
        into = sum(
            np.bincount(base[f"lists[{s}->{target}].targets"], minlength=300) for s in ("exc", "noise")
        )
        assert np.all(into == 20)


def test_progress_counts_synapses():
    seen = []
    program = resolve(
        network(connectors={"one": pt.OneToOne(), "in": pt.FixedInDegree(3)}),
        1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(300, 13200), (1200, 13200), (13200, 13200)]
    assert program.synapses == 13200


# ---- the fingerprint


def test_hash_is_stable_over_processes():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_resolve as t; "
        "print(t.model_hash(t.network()))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert runs == {model_hash(network())}


def test_hash_means_the_same_network():
    a = pt.Population("a", 5, pt.IF_curr_exp(tau_m=[1.0, 2, 3, 4, 5]))

    def one(population=a, weight=1.0, index=slice(0, 3), name="n", receptor="excitatory", projection="p"):
        return model_hash(
            pt.Network(
                name,
                [population],
                [
                    pt.Projection(
                        population[index],
                        population,
                        pt.AllToAll(),
                        pt.StaticSynapse(weight),
                        receptor,
                        projection,
                    )
                ],
            )
        )

    assert one() == one()
    assert one(index=[0, 1, 2]) == one()  # the same cells, written otherwise
    others = [
        one(weight=2.0),
        one(weight=pt.Normal(1, 0)),
        one(index=[0, 2, 1]),
        one(receptor="inhibitory"),
        one(projection="q"),
        one(pt.Population("a", 5, pt.IF_curr_exp(tau_m=[1.0, 2, 3, 4, 6]))),
        one(pt.Population("a", 6, pt.IF_curr_exp())),
        one(pt.Population("a", 5, pt.IF_curr_alpha(tau_m=[1.0, 2, 3, 4, 5]))),
        one(pt.Population("a", 5, pt.IF_curr_exp(tau_m=[1.0, 2, 3, 4, 5]), initial={"v": -60})),
    ]
    assert len({one(), *others}) == len(others) + 1


# ---- sizes


def test_estimate_is_exact_but_for_probabilities():
    """Counts are exact; bytes are within 2 % of the arrays' (drawn delays may fit fewer bytes than their
    bound).
    """
    for compact in (False, True):
        net = network()
        found, program = estimate(net, 0.1, weights32=compact), resolve(net, 42, weights32=compact)
        made: dict[str, int] = {}
        size: dict[str, int] = {}
        for c in program.connections:
            made[c.projection] = made.get(c.projection, 0) + c.count
            size[c.projection] = size.get(c.projection, 0) + sum(
                np.asarray(getattr(c, k)).nbytes for k in ("indptr", "targets", "weights", "delays")
            )
        assert {k: v for k, v in made.items() if k != "p"} == {
            k: v for k, v in found.synapses.items() if k != "p"
        }
        assert found.synapses["p"] == 13_500
        assert abs(made["p"] - 13_500) < 5 * np.sqrt(13_500)
        assert found.neurons == 900
        for k, v in size.items():
            assert abs(found.bytes_of[k] / v - 1) < (0.05 if k == "p" else 0.02), k


def test_a_network_too_large_is_refused_before_it_is_built():
    huge = pt.Population("huge", 3_000_000, pt.IF_curr_exp())
    net = pt.Network(
        "n", [huge], [pt.Projection(huge, huge, pt.AllToAll(), pt.StaticSynapse(pt.Normal(1.0, 0.1)))]
    )
    with pytest.raises(
        pt.ModelError,
        match=r"3000000 cells and 9000000000000 synapses need \d+\.\d\d GiB of memory, \d+\.\d\d GiB are "
        r"available; the largest projection is 'huge->huge/excitatory'",
    ):
        resolve(net, 1)


def test_memory_is_compared_with_what_there_is():
    found = estimate(network(), 0.1)
    check_memory(found, found.resolve_bytes)
    check_memory(found, found.native_bytes, native=True)
    for have, native in ((found.resolve_bytes - 1, False), (found.native_bytes - 1, True)):
        with pytest.raises(pt.ModelError, match="of memory"):
            check_memory(found, have, native=native)


# ---- new values in a session


def test_values_for_reads_units_arrays_and_distributions(base):
    net = network()
    assert values_for(net, 42, "exc", {"tau_m": "30 ms", "cm": 0.5}, 0.1) == {"tau_m": 30.0, "cm": 500.0}
    assert np.array_equal(
        values_for(net, 42, "exc", {"tau_m": np.arange(1.0, 301.0)}, 0.1)["tau_m"], np.arange(1.0, 301.0)
    )
    again = values_for(net, 42, "exc", {"tau_m": pt.Normal(20.0, 2.0, low=5.0)}, 0.1)["tau_m"]
    assert np.array_equal(again, base["exc.tau_m"])
    assert values_for(net, 42, "noise", {"rate": "20 Hz"}, 0.1) == {"rate": 0.02}


@pytest.mark.parametrize(
    ("population", "given", "message"),
    [
        ("exk", {"tau_m": 1.0}, r"no population 'exk'; did you mean 'exc'\?"),
        ("exc", {"tau_n": 1.0}, r"tau_n.*did you mean 'tau_m'\?"),
        ("exc", {"tau_m": "1 mV"}, r"tau_m: must be a time \(ms\)"),
        ("exc", {"tau_m": -1.0}, r"tau_m: must be > 0 ms"),
        ("exc", {"tau_m": [1.0, 2.0]}, r"population 'exc'\.tau_m: has 2 values for 300 cells"),
        ("exc", {"tau_refrac": 1.234}, r"population 'exc'\.tau_refrac: must be a whole number of steps"),
        ("noise", {"rate": -1.0}, r"population 'noise'\.rate.*must be >= 0"),
        (
            "noise",
            {"tau_m": 1.0},
            r"population 'noise': tau_m cannot be set on a SpikeSourcePoisson; it has: rate",
        ),
    ],
)
def test_values_for_refuses_by_the_same_rules(population, given, message):
    with pytest.raises(pt.ModelError, match=message):
        values_for(network(), 42, population, given, 0.1)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(pt.ModelError, match="seed: must be a whole number >= 0"):
        resolve(network(connectors={}), seed)


@pytest.mark.parametrize("dt", [0, -0.1, float("nan"), float("inf"), "fast"])
def test_bad_steps_are_refused(dt):
    with pytest.raises(pt.ModelError, match="dt: must be"):
        resolve(network(connectors={}), 1, dt)
