"""Random networks for property tests: every kind of node that a user can write."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np

import portable as pt

NMDA = pt.receptor_type(
    "NMDA",
    equations="dg/dt = -g/tau : uS",
    parameters={"tau": "100 ms", "e_rev": "0 mV", "mg": 1.0},
    events={"in": "g += weight"},
    requires={"v": "mV"},
    exposes={"i_syn": "g*(e_rev - v)/(1 + mg*exp(-0.062*v/(1 mV))/3.57)"},
    positive=("tau",),
)
QUADRATIC = pt.cell_type(
    "quadratic",
    equations="""
        # a comment: with a colon, "quotes" and é
        dv/dt = k*(v - v_r)*(v - v_t)/cm + (i_syn + i_ext)/cm : mV
        dw/dt = -w/tau_w : 1
    """,
    parameters={
        "k": "0.7 nS/mV",
        "v_r": "-60 mV",
        "v_t": "-40 mV",
        "cm": "100 pF",
        "tau_w": "30 ms",
        "gain": "1/ms",
        "free": "dimensionless",
    },
    threshold="v >= 35 mV",
    reset="v = -50 mV; w += 1",
    receptors={"fast": pt.CondExp, "slow": NMDA},
    events={"kick": "v += weight"},
    initial={"v": "v_r"},
    positive=("tau_w", "cm"),
    integrator="rk4",
    inputs={"peer": "mV"},
    conditions=[("w > 3 and v < peer", "w = 0; spike"), ("v < -90 mV", "v = -90 mV; w -= 1")],
)

REWARD = pt.synapse_type(
    "reward",
    parameters={"tau": "15 ms", "tau_n": "60 ms", "w_max": "weight"},
    pre_traces="dx/dt = -x/tau : 1",
    signal_traces="dn/dt = -n/tau_n : 1/ms",
    on_signal="n += 1/tau_n",
    equations="dc/dt = -c/(5*tau) : weight\ndweight/dt = c*n : weight/ms",
    on_post="c += 0.01*w_max*x",
    after_pre="x += 1",
    bounds=("0", "w_max"),
    positive=("tau", "tau_n"),
    every=("50 ms", "weight *= w_max/outgoing"),
)
HEBB = pt.synapse_type(
    "hebb",
    parameters={"tau": "15 ms", "rate": 0.02, "slope": "0.5 1/weight", "w_max": "weight"},
    pre_traces="dx/dt = -x/tau : 1  # of the source: é",
    post_traces="dy/dt = -y/(2*tau) : 1",
    equations="""
        seen : 1
        dtag/dt = (rate - tag)/tau : 1
        left = 1 - tag/3 : 1
    """,
    on_pre="weight -= rate*w_max*y*seen; seen = 1",
    on_post="weight += rate*left*w_max*x*(1 - slope*weight); tag += 1",
    after_pre="x += 1",
    after_post="y = 1",
    sends="weight*(1 - 0.1*tag)",
    bounds=("0", "w_max"),
    initial={"tag": "rate"},
    positive=("tau", "rate"),
    nonnegative=("w_max",),
    description='It learns, "é".',
    source="nobody 2026",
    aliases={"NEST": "none"},
)

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
# Powers of ten from n to G must not overflow a float, so not the whole range of floats.
number = st.floats(-1e200, 1e200, allow_nan=False)
positive = st.floats(1e-200, 1e200, allow_nan=False)


def quantities(*units: str, of: st.SearchStrategy[float] = number) -> st.SearchStrategy[pt.Quantity]:
    return st.builds(pt.Quantity, of, st.sampled_from(units))


def ordered(*units: str) -> st.SearchStrategy[tuple[pt.Quantity, pt.Quantity]]:
    pair = st.tuples(quantities(units[0]), quantities(units[0]))
    return pair.map(lambda p: (p[0], p[1]) if p[0].value <= p[1].value else (p[1], p[0]))


@st.composite
def distributions(draw: st.DrawFn, *units: str) -> object:
    low, high = draw(ordered(*units))
    bounds = draw(st.sampled_from([{}, {"low": low}, {"high": high}, {"low": low, "high": high}]))
    sd = draw(quantities(*units, of=st.floats(0, 1e100)))
    clip = draw(st.booleans())
    simple = draw(
        st.sampled_from(
            [
                pt.Uniform(low, high),
                pt.Normal(low, sd, **bounds, clip=clip),
                pt.Lognormal(draw(quantities(*units, of=positive)), sd, **bounds, clip=clip),
            ]
        )
    )
    return draw(st.sampled_from([simple, pt.Clipped(simple, **bounds)]))


def arrays(n: int, unit: str, of: st.SearchStrategy[float] = number) -> st.SearchStrategy[pt.Array]:
    return st.lists(of, min_size=n, max_size=n).map(lambda x: pt.Array(x, unit))


def values(n: int, *units: str) -> st.SearchStrategy[object]:
    return st.one_of(quantities(*units), arrays(n, units[0]), distributions(*units))


@st.composite
def cells(draw: st.DrawFn, n: int) -> object:
    kind = draw(st.sampled_from([pt.IF_curr_exp, pt.IF_cond_alpha, pt.Izhikevich, QUADRATIC]))
    if kind is pt.Izhikevich:
        return kind(c=draw(values(n, "mV", "V")))
    if kind is QUADRATIC:
        return kind(
            gain=draw(quantities("Hz", "1/ms")),
            free=draw(values(n, "1")),
            v_r=draw(values(n, "uV")),
            e_rev_fast=draw(values(n, "mV")),
        )
    extra = {
        "slow": draw(
            st.sampled_from(
                [pt.CurrAlpha(tau_syn=draw(quantities("ms", "us", of=positive))), NMDA(mg=draw(number))]
            )
        )
    }
    return kind(
        receptors=extra if draw(st.booleans()) else None,
        v_rest=draw(values(n, "mV", "V")),
        cm=draw(quantities("nF", "pF", of=positive)),
    )


@st.composite
def sources(draw: st.DrawFn, n: int) -> object:
    if draw(st.booleans()):
        return pt.SpikeSourcePoisson(
            draw(quantities("Hz", "kHz", "1/ms", of=st.floats(0, 1e6))),
            draw(st.floats(0, 1e6)),
            draw(st.none() | st.floats(0, 1e6)),
        )
    trains = draw(
        st.lists(st.lists(positive, max_size=4), min_size=n, max_size=n)
        | st.lists(st.lists(positive, max_size=4), min_size=1, max_size=1)
    )
    return pt.SpikeSourceArray(trains)


@st.composite
def sides(draw: st.DrawFn, populations: list[pt.Population]) -> object:
    chosen = draw(st.lists(st.sampled_from(populations), min_size=1, max_size=2))
    out = []
    for p in chosen:
        index = draw(
            st.sampled_from([None, slice(0, 1), slice(None, None, 2), slice(-1, None), slice(None, None, -1)])
            | st.lists(st.integers(-p.size, p.size - 1), min_size=1, max_size=4)
        )
        out.append(p if index is None else p[index])
    return out


@st.composite
def synapses(draw: st.DrawFn, unit: str) -> object:
    """Static ones and two that learn."""
    weight, delay = draw(values(3, unit)), draw(quantities("ms", "us", of=positive))
    fraction = draw(st.floats(0, 1))
    return draw(
        st.sampled_from(
            [
                pt.StaticSynapse(weight, delay),
                pt.STDP(
                    weight, delay, w_max=draw(values(3, unit)), a_plus=draw(values(3, "1")),
                    tau_plus=draw(quantities("ms", "us", of=positive)), dendritic_delay_fraction=fraction,
                ),
                REWARD(weight, delay, w_max=draw(values(3, unit))),
                HEBB(weight, delay, w_max=pt.Quantity(2.5, unit), initial={"seen": draw(values(3, "1"))}),
            ]
        )
    )  # fmt: skip


@st.composite
def third_factors(draw: st.DrawFn, populations: list[pt.Population], synapse: object) -> dict[str, object]:
    """What a rule with a third factor needs of its projection."""
    if getattr(synapse, "type", None) != REWARD:
        return {}
    delay = draw(st.none() | quantities("ms", "us", of=positive))
    return {"signal": draw(st.sampled_from(populations)), "signal_delay": delay}


@st.composite
def connectors(draw: st.DrawFn) -> object:
    flags = {"allow_self_connections": draw(st.booleans()), "allow_multapses": draw(st.booleans())}
    n = draw(st.integers(0, 10**12) | st.integers(0, 9).map(np.int64))
    pairs = draw(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 9)), max_size=4))
    return draw(
        st.sampled_from(
            [
                pt.AllToAll(flags["allow_self_connections"]),
                pt.OneToOne(),
                pt.FixedProbability(draw(st.floats(0, 1))),
                pt.FixedInDegree(n, **flags),
                pt.FixedTotalNumber(n, **flags),
                pt.Explicit([a for a, _ in pairs], np.array([b for _, b in pairs], dtype=np.uint32)),
            ]
        )
    )


@st.composite
def networks(draw: st.DrawFn) -> pt.Network:
    """Networks of up to three populations of cells and two sources."""
    populations = []
    for i in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 4))
        cell = draw(cells(n))
        initial = {"v": draw(values(n, "mV", "V"))} if draw(st.booleans()) else None
        populations.append(pt.Population(f"cells_{i}", n, cell, initial))
    drive = [
        pt.Population(f"drive_{i}", n, draw(sources(n)))
        for i, n in enumerate(draw(st.lists(st.integers(1, 3), max_size=2)))
    ]
    projections = []
    for _ in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from(populations))
        port = draw(st.sampled_from(target.cell.flat.ports))
        synapse = draw(synapses(port.weight_unit))
        projections.append(
            pt.Projection(
                draw(sides([*populations, *drive])),
                draw(sides([target])),
                draw(connectors()),
                synapse,
                port.name,
                draw(st.sampled_from(["", 'named -> "it" é'])),
                **draw(third_factors([*populations, *drive], synapse)),
            )
        )
    inputs, recordings = [], []
    currents = st.sampled_from(
        [
            pt.DCSource(0.5),
            pt.DCSource(pt.Normal("1 pA", "2 pA"), 1, 2),
            pt.StepCurrentSource([1, 2.5], ["1 nA", "3 pA"]),
        ]
    )
    for _ in range(draw(st.integers(0, 2))):
        inputs.append(pt.Injection(draw(currents), draw(sides(populations))))
        recordings.append(
            pt.Record(
                draw(sides(populations)),
                draw(st.sampled_from(["spikes", "v", ("spikes", "v")])),
                draw(st.none() | quantities("ms", of=positive)),
            )
        )
    for p in projections:
        if not isinstance(p.synapse, pt.StaticSynapse) and draw(st.booleans()):
            some = draw(st.none() | sides([v.population for v in p.pre]))
            recordings.append(
                pt.Record(p.between(some), interval=draw(st.none() | quantities("ms", of=positive)))
            )
    links = []
    for target in (p for p in populations if p.cell.type == QUADRATIC and draw(st.booleans())):
        source, m = draw(st.sampled_from(populations)), draw(st.integers(0, 4))
        where = [draw(st.lists(st.integers(0, p.size - 1), min_size=m, max_size=m)) for p in (source, target)]
        links.append(
            pt.Link(source, "v", target, "peer", *where)
            if draw(st.booleans())
            else pt.Link(target, "v", target, "peer", name='own -> "peer" é')
        )
    name = draw(
        st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)
        | st.sampled_from(["1e5", "no", "null", "1:30", "a b", "~", "- x", "2020-01-01", "0x1F"])
    )
    return pt.Network(name, [*populations, *drive], projections, inputs, recordings, links)
