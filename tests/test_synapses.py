"""Synapses that learn: each rule of the library against a plain loop, what is refused, what draws depend on,
and the order in which a user sees connections.
"""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import plastic_loops as loops
import pytest

import portable as pt
from portable.backends.learning import Learning
from portable.resolve import estimate, resolve

PARROT = pt.cell_type(
    "Parrot",
    equations="dv/dt = -v/tau : 1\ndg/dt = -g/tau_g : nA",
    parameters={"tau": "1 ms", "tau_g": "50 ms"},
    threshold="v > 0.5",
    reset="v = 0",
    events={"fire": "v += weight", "learn": "g += weight"},
)
N, UNTIL = 24, {1.0: 1500, 0.1: 4000}  # pairs; steps
# Rounding: some hundred changes of at most 1e-2 of the range.
CLOSE = 1e-12
RANGE = {"tau_plus": 17.0, "tau_minus": 31.0, "a_plus": 0.01, "a_minus": 0.0105, "w_min": 0.0, "w_max": 0.2}
FREE = {"mu_plus": 0.0, "mu_minus": 0.0}
TRIPLET = {
    "tau_plus": 16.8, "tau_x": 101.0, "tau_minus": 33.7, "tau_y": 125.0, "a2_plus": 1e-3, "a3_plus": 6e-3,
    "a2_minus": 5e-3, "a3_minus": 2e-3, "w_max": 0.2,
}  # fmt: skip
RULES: dict[str, tuple[Any, Any, dict[str, float]]] = {
    "additive": (pt.STDP, loops.pair, {**RANGE, **FREE}),
    "multiplicative": (pt.STDP, loops.pair, {**RANGE, "mu_plus": 1.0, "mu_minus": 1.0}),
    "guetig": (pt.STDP, loops.pair, {**RANGE, "mu_plus": 0.3, "mu_minus": 0.6, "w_min": 0.02}),
    "nearest": (pt.STDP_nearest, loops.nearest, {**RANGE, **FREE}),
    "centered": (pt.STDP_presynaptic_centered, loops.centered, {**RANGE, **FREE}),
    "restricted": (pt.STDP_restricted, loops.restricted, {**RANGE, "mu_plus": 0.5, "mu_minus": 0.5}),
    "power": (
        pt.STDP_power, loops.power,
        {"tau_plus": 17.0, "tau_minus": 31.0, "a": 0.05, "alpha": 0.5, "mu": 0.4, "w_ref": 0.001},
    ),
    "triplet": (pt.Triplet, loops.triplet, TRIPLET),
    "vogels": (pt.VogelsSprekeler, loops.vogels, {"tau": 20.0, "eta": 0.01, "rho0": 12.0, "w_max": 0.2}),
    "dopamine": (
        pt.DopamineSTDP, None,
        {**RANGE, "a_plus": 0.002, "a_minus": 0.0021, "tau_c": 300.0, "tau_n": 80.0, "b": 4.0},
    ),
    "short_term": (pt.TsodyksMarkram, None, {"U": 0.3, "tau_rec": 130.0, "tau_facil": 200.0}),
}  # fmt: skip


class Forced:
    """A run in which sources and targets spike when they are told: every rule between the same pairs, with
    delays of 1 to 17 steps and spikes that meet at one instant of the connections' clocks.
    """

    def __init__(self, dt: float, fraction: float, names: list[str]) -> None:
        rng = np.random.default_rng(7)
        self.dt, self.until = dt, UNTIL[dt]
        self.delays = rng.integers(1, 18, N)
        self.back = np.clip(np.rint(fraction * self.delays), 1, self.delays).astype(int)
        self.ahead = self.delays - self.back
        self.weights = rng.uniform(0.05, 0.15, N)
        some = [np.unique(rng.integers(3, self.until, int(25e-3 * self.until * dt))) for _ in range(2 * N)]
        self.pre = some[:N]
        self.post = []
        for i in range(N):
            meeting = rng.choice(self.pre[i], self.pre[i].size // 3) + self.ahead[i] - self.back[i]
            both = np.unique(np.concatenate([some[N + i], meeting]))
            self.post.append(both[(both > 2) & (both < self.until)])
        sources = pt.Population("sources", N, pt.SpikeSourceArray([x * dt for x in self.pre]))
        force = pt.Population("force", N, pt.SpikeSourceArray([(x - 1) * dt for x in self.post]))
        cells = pt.Population("cells", N, PARROT())
        self.rewards = np.unique(rng.integers(3, self.until, 6))
        reward = pt.Population("reward", 1, pt.SpikeSourceArray([self.rewards * dt]))
        self.projections = {
            n: pt.Projection(
                sources, cells, pt.OneToOne(),
                RULES[n][0](
                    self.weights, self.delays * dt, dendritic_delay_fraction=fraction, **RULES[n][2]
                ),
                "learn", n, **({"signal": reward, "signal_delay": 2 * dt} if n == "dopamine" else {}),
            )
            for n in names
        }  # fmt: skip
        fire = pt.Projection(force, cells, pt.OneToOne(), pt.StaticSynapse(1.0, dt), "fire")
        records = [pt.Record(cells, "spikes"), pt.Record(cells, "g", self.until * dt)]
        records += [pt.Record(p, "weight", self.until * dt) for p in self.projections.values()]
        populations, projections = [sources, force, reward, cells], [fire, *self.projections.values()]
        net = pt.Network("forced", populations, projections, (), records)
        self.results = pt.run(net, "reference", self.until * dt, dt)
        found = self.results.spikes["cells"]
        for i in range(N):
            np.testing.assert_array_equal(found.steps[found.ids == i], self.post[i])

    def events(self, i: int) -> list[tuple[float, bool, bool]]:
        pre, post = (x[i].tolist() for x in (self.pre, self.post))
        return list(loops.seen(pre, post, int(self.ahead[i]), int(self.back[i]), self.until, self.dt))


@pytest.fixture(scope="module", params=[1.0, 0.1])
def forced(request: pytest.FixtureRequest) -> Forced:
    return Forced(request.param, 1.0, [n for n in RULES if n != "short_term"])


@pytest.mark.parametrize("name", [n for n in RULES if n not in ("short_term", "dopamine")])
def test_rule_is_its_plain_loop(forced: Forced, name: str) -> None:
    _, loop, p = RULES[name]
    p = {**p, **({"rho0": p["rho0"] * 1e-3} if "rho0" in p else {})}
    expected = np.array([loop(forced.weights[i], forced.events(i), p) for i in range(N)])
    found = forced.results.weights[name]
    np.testing.assert_array_equal(found.sources, np.arange(N))
    np.testing.assert_array_equal(found.values[0], forced.weights)
    np.testing.assert_allclose(found.values[-1], expected, rtol=0, atol=CLOSE * 0.2)
    assert np.abs(expected - forced.weights).min() > 1e-5, "every connection learns"


def test_dopamine_is_its_plain_loop(forced: Forced) -> None:
    p = {**RULES["dopamine"][2], "b": RULES["dopamine"][2]["b"] * 1e-3}
    seen, end = [(t + 2) * forced.dt for t in forced.rewards.tolist()], forced.until * forced.dt
    expected = [loops.dopamine(forced.weights[i], forced.events(i), seen, p, end) for i in range(N)]
    found = forced.results.weights["dopamine"].values[-1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE * 0.2)
    assert np.abs(found - forced.weights).min() > 1e-7


def test_spikes_meet(forced: Forced) -> None:
    """The trains do what they are for: many events at one instant, on every connection."""
    met = [sum(post and pre for _, post, pre in forced.events(i)) for i in range(N)]
    assert min(met) >= 2
    assert sum(met) > 5 * N * (1 if forced.dt == 1.0 else 0.4)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.7])
def test_parts_of_the_delay(fraction: float) -> None:
    run = Forced(1.0, fraction, ["guetig", "restricted"])
    assert run.ahead.any()
    for name in run.projections:
        _, loop, p = RULES[name]
        expected = [loop(run.weights[i], run.events(i), p) for i in range(N)]
        np.testing.assert_allclose(run.results.weights[name].values[-1], expected, rtol=0, atol=CLOSE * 0.2)


@pytest.mark.parametrize("dt", [1.0, 0.1])
def test_short_term_plasticity_sends_what_its_loop_does(dt: float) -> None:
    """What arrived is in the receptor (pA), which forgets with 50 ms."""
    run = Forced(dt, 1.0, ["short_term"])
    expected = []
    for i in range(N):
        sent = loops.short_term(run.weights[i], run.events(i), RULES["short_term"][2])
        arrived = [int(t + run.delays[i]) for t in run.pre[i]]
        assert len(sent) == len(run.pre[i])
        pairs = zip(arrived, sent, strict=True)
        expected.append(sum(1e3 * x * exp(-(run.until - k) * dt / 50.0) for k, x in pairs if k <= run.until))
    found = run.results.traces["cells", "g"].values[-1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE * max(expected))
    np.testing.assert_array_equal(run.results.weights["short_term"].values[-1], run.weights)


# ---- closed forms


def once(synapse: pt.PlasticSynapse, pre: list[float], post: list[float], until: float = 100.0) -> pt.Results:
    """One connection whose sides spike when they are told."""
    source = pt.Population("source", 1, pt.SpikeSourceArray([pre]))
    force = pt.Population("force", 1, pt.SpikeSourceArray([[t - 1 for t in post]]))
    cell = pt.Population("cell", 1, PARROT())
    p = pt.Projection(source, cell, pt.OneToOne(), synapse, "learn", "p")
    fire = pt.Projection(force, cell, pt.OneToOne(), pt.StaticSynapse(1.0, 1.0), "fire")
    record = [pt.Record(p, list(synapse.rule.recordable), 1.0)]
    return pt.run(pt.Network("n", [source, force, cell], [p, fire], (), record), "reference", until, 1.0)


@pytest.mark.parametrize(
    ("pre", "post", "change"),
    [
        (10.0, 19.0, 0.02 * exp(-(19 + 2 - 10) / 20)),  # the target is seen 2 ms late
        (30.0, 19.0, -0.03 * exp(-(30 - 19 - 2) / 40)),
        (10.0, 8.0, 0.0),  # both at 10: neither sees the other's trace
        (10.0, 7.0, -0.03 * exp(-1 / 40)),
    ],
)
def test_one_pair_of_spikes(pre: float, post: float, change: float) -> None:
    stdp = pt.STDP(0.5, 2.0, w_max=1.0, a_plus=0.02, a_minus=0.03, tau_plus=20, tau_minus=40)
    found = once(stdp, [pre], [post]).weights["p"].values[-1, 0]
    assert found == pytest.approx(0.5 + change, abs=1e-15)


def test_bounds_stop_every_assignment() -> None:
    """Two spikes of the target far apart: the second begins at the bound, not above it."""
    stdp = pt.STDP(0.999, 1.0, w_max=1.0, a_plus=0.5, a_minus=0.25, tau_plus=20, tau_minus=20)
    weights = once(stdp, [10.0, 60.0], [20.0]).weights["p"].values[:, 0]
    assert weights[50] == 1.0
    assert weights[-1] == pytest.approx(1.0 - 0.25 * exp(-39 / 20), abs=1e-15)


def test_a_weight_is_after_all_that_its_clock_has_seen() -> None:
    """A spike of the target stamped 19 is seen 2 ms later: the weight changes at 21, before any spike of the
    source."""
    weights = once(pt.STDP(0.5, 2.0, w_max=1.0), [10.0], [19.0]).weights["p"].values[:, 0]
    assert np.flatnonzero(np.diff(weights)).tolist() == [20]


def test_two_spikes_of_short_term_plasticity() -> None:
    u, rec, facil, h = 0.4, 60.0, 90.0, 25.0
    found = once(pt.TsodyksMarkram(1.0, 1.0, U=u, tau_rec=rec, tau_facil=facil), [10.0, 35.0], [])
    second = u * exp(-h / facil) + u * (1 - u * exp(-h / facil))
    left = 1 - u * exp(-h / rec)
    assert found.synapses["p", "u"].values[35, 0] == pytest.approx(second, abs=1e-15)
    assert found.synapses["p", "r"].values[35, 0] == pytest.approx(left * (1 - second), abs=1e-15)


def test_balance_of_inhibition() -> None:
    """A spike of the source alone takes eta*2*rho0*tau of the range."""
    rule = pt.VogelsSprekeler(0.5, 1.0, w_max=1.0, eta=0.02, rho0="5 Hz", tau="20 ms")
    assert once(rule, [10.0], []).weights["p"].values[-1, 0] == pytest.approx(0.5 - 0.02 * 2 * 0.1, abs=1e-15)


# ---- what is refused


CELLS = pt.Population("cells", 4, pt.IF_curr_exp())
GOOD: dict[str, Any] = {
    "parameters": {"tau": "20 ms", "a": 0.01, "w_max": "weight"},
    "pre_traces": "dx/dt = -x/tau : 1",
    "post_traces": "dy/dt = -y/tau : 1",
    "on_post": "weight += a*w_max*x",
    "on_pre": "weight -= a*w_max*y",
    "after_pre": "x += 1",
    "after_post": "y += 1",
    "bounds": ("0", "w_max"),
    "positive": ("tau",),
}
TEXTS = {
    "unknown trace": ({"on_post": "weight += a*w_max*z"}, "on_post: unknown name 'z'"),
    "unit of an assignment": (
        {"on_pre": "weight -= a*y"},
        r"on_pre: 'weight - \(?a\*y\)?'.*|on_pre: .*units",
    ),
    "unit of a trace": ({"pre_traces": "dx/dt = -x/a : 1"}, "pre_traces|dx/dt"),
    "unit of what is sent": ({"sends": "x"}, "sends: .* is dimensionless"),
    "unit of a bound": ({"bounds": ("0", "tau")}, "bounds: 'tau' is time"),
    "code": ({"on_pre": "weight = __import__('os')"}, "on_pre"),
    "code in a trace": ({"pre_traces": "dx/dt = __import__('os').system('ls') : 1"}, "pre_traces"),
    "attribute": ({"on_pre": "weight = weight.__class__"}, "on_pre"),
    "a trace in on_pre": ({"on_pre": "x += 1"}, "on_pre: 'x' is a trace, which other connections read too"),
    "weight in after_pre": ({"after_pre": "weight += w_max"}, "after_pre: 'weight' is changed by on_pre"),
    "a trace that reads the other side": ({"after_pre": "x += y"}, "trace 'x' reads 'y'"),
    "growth": ({"pre_traces": "dx/dt = -x^2/tau : 1"}, "dx/dt: is not linear"),
    "no bounds": ({"bounds": ("w_max",)}, r"bounds: expected two"),
    "an empty bound": ({"bounds": ("", "w_max")}, r"bounds: expected two"),
    "nothing sent": ({"sends": " "}, "sends: is empty"),
    "positive": ({"positive": ("tua",)}, "'tua' is no parameter"),
    "a name that is taken": ({"parameters": {**GOOD["parameters"], "delay": 1.0}}, "every synapse is given"),
    "type": ({"parameters": {**GOOD["parameters"], "type": 1.0}}, "every synapse is given"),
    "nothing happens": (dict.fromkeys(("on_pre", "on_post", "after_pre", "after_post"), ""), "no spike does"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_wrong_text_is_one_error(name: str) -> None:
    change, message = TEXTS[name]
    with pytest.raises(pt.ModelError, match=message) as caught:
        pt.synapse_type("Mine", **{**GOOD, **change})
    assert str(caught.value).startswith("synapse_type 'Mine'")
    assert caught.value.remedy


def connect(synapse: Any, connector: Any = None, **more: Any) -> pt.Network:
    p = pt.Projection(CELLS, CELLS, connector or pt.OneToOne(), synapse, name="p", **more)
    return pt.Network("n", [CELLS], [p])


CALLS: dict[str, tuple[Any, str]] = {
    "missing": (lambda: pt.STDP(0.1), "STDP.w_max: has no default and no value was given"),
    "unknown": (lambda: pt.STDP(0.1, w_max=1, tau_pls=1), r"STDP.tau_pls: is no parameter.*'tau_plus'"),
    "negative time": (lambda: connect(pt.STDP(0.1, w_max=1, tau_plus=-1)), r"p'.tau_plus: must be > 0 ms"),
    "drawn negative time": (
        lambda: resolve(connect(pt.STDP(0.1, w_max=1, tau_plus=pt.Normal(0, 1)), pt.AllToAll()), 1),
        r"p'.tau_plus\[\d+\]: must be > 0 ms, got -.*low=",
    ),
    "unit": (lambda: connect(pt.STDP("1 nS", w_max=1)), "p'.weight: must be a current"),
    "unit of w_max": (lambda: connect(pt.STDP(0.1, w_max="1 uS")), "p'.w_max: must be a current"),
    "fraction": (lambda: pt.STDP(w_max=1, dendritic_delay_fraction=1.5), "must be between 0 and 1, got 1.5"),
    "fraction true": (lambda: pt.STDP(w_max=1, dendritic_delay_fraction=True), "must be between 0 and 1"),
    "state": (lambda: pt.STDP(w_max=1, initial={"x": 1}), r"initial\['x'\]: is no state of a connection"),
    "not called": (lambda: connect(pt.STDP), r"expected a synapse.*call it: STDP\(weight=\.\.\.\)"),
    "receptor": (lambda: connect(pt.STDP(w_max=1), receptor="excitatry"), "no receptor 'excitatry'"),
    "outside": (
        lambda: resolve(connect(pt.STDP(1.5, w_max=1)), 1),
        r"p'.weight: 1.5 nA is outside the bounds of 'STDP' \(the nearest is 1\)",
    ),
    "wrong sign": (lambda: resolve(connect(pt.STDP("-10 pA", w_max=1)), 1), "-0.01 nA is outside the bounds"),
    "drawn outside": (
        lambda: resolve(connect(pt.STDP(pt.Uniform(0.9, 5.0), w_max=1), pt.AllToAll()), 1),
        r"p'.weight: \d\.\d+ nA is outside the bounds",
    ),
    "length": (
        lambda: resolve(connect(pt.STDP(0.1, w_max=1, tau_plus=[1.0, 2.0])), 1),
        r"p'.tau_plus: has 2 values for 4 connections",
    ),
    "static": (lambda: pt.Record(connect(pt.StaticSynapse(0.1)).projections[0]), "'p' does not learn"),
    "unknown state": (
        lambda: pt.Record(connect(pt.STDP(w_max=1)).projections[0], "wieght"), "has no 'wieght'.*'weight'"
    ),
    "elsewhere": (
        lambda: connect(pt.STDP(w_max=1)).projections[0].between(pt.Population("other", 2, pt.IF_curr_exp())),
        r"between.pre: 'other' is not on this side",
    ),
    "mechanism": (
        lambda: pt.STDPMechanism(pt.Vogels2011Rule(), pt.MultiplicativeWeightDependence()),
        "Vogels2011Rule goes with AdditiveWeightDependence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_value_is_one_error(name: str) -> None:
    call, message = CALLS[name]
    with pytest.raises(pt.ModelError, match=message) as caught:
        call()
    assert caught.value.remedy


# ---- what draws depend on


def drawn(net: pt.Network, dt: float = 0.1) -> dict[str, dict[tuple[int, int], float]]:
    """The drawn numbers of projection p, by who meets whom."""
    (c,) = (c for c in resolve(net, 3, dt).connections if c.projection == "p")
    assert c.learning is not None
    pairs = list(zip(c.sources().tolist(), c.targets.tolist(), strict=True))
    values = {**c.learning.parameters, **{f"initial {k}": v for k, v in c.learning.initial.items()}}
    values["weight"] = c.weights
    return {
        n: dict(zip(pairs, x.tolist(), strict=True)) for n, x in values.items() if isinstance(x, np.ndarray)
    }


def test_draws_depend_on_the_pair_alone() -> None:
    """Not on dt, delays, other parameters or projections."""

    def net(delay: Any, *, more: bool = False, **parameters: Any) -> pt.Network:
        cells = pt.Population("cells", 30, pt.IF_curr_exp(tau_refrac=1.0))
        kind = pt.TsodyksMarkram(
            pt.Uniform(0.1, 0.2), delay, tau_rec=pt.Uniform(50, 150),
            initial={"u": pt.Uniform(0, 0.5)}, **parameters,
        )  # fmt: skip
        p = pt.Projection(cells, cells, pt.FixedProbability(0.3), kind, name="p")
        other = pt.Projection(cells, cells, pt.FixedProbability(0.3), kind, name="other")
        return pt.Network("n", [cells], [other, p] if more else [p])

    base = drawn(net(pt.Uniform(1, 4)))
    assert base.keys() == {"tau_rec", "initial u", "weight"}
    for values in base.values():
        assert len(set(values.values())) > 0.9 * len(values) > 200
    assert drawn(net(pt.Uniform(1, 4)), dt=0.5) == base
    assert drawn(net(1.5)) == base
    assert drawn(net(pt.Normal(2, 0.3, low=1))) == base
    assert drawn(net(1.5, more=True)) == base
    again = drawn(net(1.5, U=pt.Uniform(0.1, 0.9)))
    assert {k: v for k, v in again.items() if k != "U"} == base


def test_pynns_mechanism_is_the_direct_call() -> None:
    common = {"weight": 0.3, "delay": 2.0, "dendritic_delay_fraction": 0.5}
    for dependence, mu in (
        (pt.AdditiveWeightDependence, (0.0, 0.0)),
        (pt.MultiplicativeWeightDependence, (1.0, 1.0)),
        (pt.AdditivePotentiationMultiplicativeDepression, (0.0, 1.0)),
    ):
        made = pt.STDPMechanism(
            pt.SpikePairRule(tau_plus=15.0, tau_minus="30 ms", A_plus=0.02, A_minus=0.03),
            dependence(w_min=0.1, w_max=0.9),
            **common,
        )
        direct = pt.STDP(
            **common, tau_plus=15.0, tau_minus="30 ms", a_plus=0.02, a_minus=0.03, w_min=0.1, w_max=0.9,
            mu_plus=mu[0], mu_minus=mu[1],
        )  # fmt: skip
        assert connect(made) == connect(direct)
    guetig = pt.STDPMechanism(weight_dependence=pt.GutigWeightDependence(0, 2.0, 0.2, 0.7), weight=0.3)
    direct = pt.STDP(0.3, a_plus=0.01, a_minus=0.01, w_min=0, w_max=2.0, mu_plus=0.2, mu_minus=0.7)
    assert connect(guetig) == connect(direct)
    inhibitory = pt.STDPMechanism(
        pt.Vogels2011Rule(tau=25.0, eta=0.04, rho=4.0), pt.AdditiveWeightDependence(0, 2)
    )
    assert connect(inhibitory) == connect(pt.VogelsSprekeler(tau=25.0, eta=0.02, rho0=4.0, w_min=0, w_max=2))


# ---- what a user sees


def test_order_and_places_of_views_and_several_populations() -> None:
    """Positions count over the sides as given; set takes values in the order in which weights gives them."""
    a = pt.Population("a", 5, pt.SpikeSourceArray([[3.0]]))
    b = pt.Population("b", 4, pt.IF_curr_exp())
    c = pt.Population("c", 3, pt.IF_curr_exp())
    pre, post = [b[[3, 1]], a[1:4]], [c, b[::2]]
    p = pt.Projection(
        pre, post, pt.AllToAll(), pt.STDP(pt.Uniform(0.1, 0.2), pt.Uniform(1, 5), w_max=1), name="p"
    )
    record = pt.Record(p.between(a[2], [c[0], b[2]]), "weight", 5.0)
    needs = ["session.synapses", "session.pieces", "session.synapses.set"]
    with pt.open(pt.Network("n", [a, b, c], [p], (), [record]), "reference", seed=1, needs=needs) as sim:
        table = sim.weights(p)
        assert table.sources.tolist() == np.repeat(np.arange(5), 5).tolist()
        assert table.targets.tolist() == list(range(5)) * 5
        held = {
            (q.pre, int(i), q.post, int(j)): w
            for q in resolve(sim.network, 1, 0.1).connections
            for i, j, w in zip(q.sources(), q.targets, q.weights, strict=True)
        }
        sources = [("b", 3), ("b", 1), ("a", 1), ("a", 2), ("a", 3)]
        targets = [("c", 0), ("c", 1), ("c", 2), ("b", 0), ("b", 2)]
        expected = [
            float(held[*sources[i], *targets[j]]) / 1000
            for i, j in zip(table.sources, table.targets, strict=True)
        ]
        np.testing.assert_allclose(np.asarray(table), expected, rtol=1e-15)
        new = np.linspace(0.3, 0.9, 25)
        sim.set(p, weight=new)
        np.testing.assert_allclose(np.asarray(sim.weights("p")), new, rtol=1e-15)
        np.testing.assert_allclose(sim.weights(p).matrix(), new.reshape(5, 5), rtol=1e-15)
        sim.set(p, weight="250 pA")
        assert np.all(np.asarray(sim.weights(p)) == 0.25)
        for wrong, message in (
            ([0.1, 0.2], "has 2 values for 25 connections"),
            (1.5, "1.5 nA is outside the bounds"),
            (pt.Uniform(0, 1), "draw it with numpy"),
            ("1 nS", "must be a current"),
        ):
            with pytest.raises(pt.ModelError, match=message):
                sim.set(p, weight=wrong)
        with pytest.raises(pt.ModelError, match="has no 'x'"):
            sim.set(p, x=0.0)
        sim.run(20.0)
        found = sim.results().weights["p"]
    assert found.sources.tolist() == [3, 3]
    assert found.targets.tolist() == [0, 4]
    assert found.times.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]


def test_estimates_count_what_connections_learn_with() -> None:
    """The bytes of the arrays of the program, and what an engine keeps besides."""
    cells = pt.Population("cells", 300, pt.IF_curr_exp())
    many = [
        pt.STDP(0.1, 1.0, w_max=1),
        pt.STDP(pt.Uniform(0, 1), pt.Uniform(1, 5), w_max=1, tau_plus=pt.Uniform(10, 20)),
        pt.TsodyksMarkram(0.1, pt.Uniform(1, 5), U=pt.Uniform(0, 1), initial={"r": pt.Uniform(0, 1)}),
        pt.STDP_restricted(0.1, pt.Uniform(1, 5), w_max=1, dendritic_delay_fraction=0.5),
    ]
    own = [1, 2, 3, 3]  # the weight, and: a trace that is the connection's now; u and r; free and seen
    for synapse, states in zip(many, own, strict=True):
        net = pt.Network("n", [cells], [pt.Projection(cells, cells, pt.FixedInDegree(50), synapse)])
        found, (c,) = estimate(net, 0.1), resolve(net, 1).connections
        assert c.learning is not None
        arrays = [c.indptr, c.targets, c.weights, c.delays, *c.learning.parameters.values()]
        arrays += [*c.learning.initial.values()]
        arrays += [] if c.learning.dendritic is c.delays else [c.learning.dendritic]
        size = sum(x.nbytes for x in arrays if isinstance(x, np.ndarray))
        assert sum(found.bytes_of.values()) == size
        assert found.learning == 8 * 15_000 * states


@pytest.mark.parametrize(
    ("synapse", "mean", "variance"),
    [
        (pt.StochasticRelease(1.0, 1.0, p=0.3), 0.3, 0.3 * 0.7),
        (pt.MultiQuantal(1.0, 1.0, n=6, U=0.4), 6 * 0.4, 6 * 0.4 * 0.6),
    ],
)
def test_what_is_drawn_is_distributed_as_it_should(synapse: Any, mean: float, variance: float) -> None:
    """Spikes so far apart that all sites have filled: Bernoulli and binomial numbers. Means of 30,000 draws
    lie within five standard errors of theirs (once in 1.7 million seeds not); one seed's are always the same.
    """
    source, cells = (
        pt.Population("source", 1, pt.SpikeSourcePoisson()),
        pt.Population("cells", 500, pt.IF_curr_exp(tau_refrac=1.0)),
    )
    net = pt.Network("drawn", [source, cells], [pt.Projection(source, cells, pt.AllToAll(), synapse)])
    learning = Learning(resolve(net, 4, 1.0).connections[0], 1.0)
    sent = []
    for k in range(60):
        learning.pre(np.array([0]), np.array([1]), 1 + 5000 * k)
        sent.append(learning.advance(1 + 5000 * k)[1] / 1000.0)  # pA to nA
    drawn = np.array(sent)
    n = drawn.size
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(variance / n)
    assert abs(drawn.var() - variance) < 5 * variance * np.sqrt(3.0 / n)
    for rows in (drawn, drawn.T):  # nothing in common between spikes, nor between connections
        assert abs(np.corrcoef(rows[0], rows[1])[0, 1]) < 5 / np.sqrt(rows.shape[1])
