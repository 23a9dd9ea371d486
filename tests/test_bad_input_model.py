"""Wrong models: one clear error each, with the path of the object, the rule, the value and the remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import portable as pt

EXC = pt.Population("exc", 10, pt.IF_curr_exp)
INH = pt.Population("inh", 4, pt.IF_cond_exp)
NOISE = pt.Population("noise", 10, pt.SpikeSourcePoisson("20 Hz"))


def projection(**changes: Any) -> pt.Projection:
    given: dict[str, Any] = {
        "pre": EXC,
        "post": EXC,
        "connector": pt.AllToAll(),
        "synapse": pt.StaticSynapse("20 pA", 1.5),
        **changes,
    }
    return pt.Projection(**given)


CASES: list[tuple[Any, str]] = [
    # names, with a suggestion
    (
        lambda: pt.IF_curr_exp(taum=20),
        "IF_curr_exp.taum: is no parameter of this type; did you mean 'tau_m'?",
    ),
    (lambda: pt.CurrExp(tau=20), "CurrExp.tau: is no parameter of this type; did you mean 'tau_syn'?"),
    (
        lambda: pt.Population("p", 1, pt.IF_curr_exp, {"V": 1}),
        "Population 'p'.initial['V']: is no state variable of this cell; known: isyn_exc, isyn_inh, v",
    ),
    (
        lambda: projection(receptor="exitatory"),
        "projection 'exc->exc/exitatory'.receptor: 'exc' has no receptor 'exitatory'; did you mean "
        "'excitatory'?",
    ),
    (
        lambda: pt.Record(EXC, "gsyn"),
        "Record.variables: 'exc' has no 'gsyn' to record; did you mean 'i_syn'?",
    ),
    (lambda: pt.Record(NOISE, "v"), "Record.variables: 'noise' has no 'v' to record; known: spikes"),
    (lambda: pt.Network("n", [EXC]).population("ecx"), "no population 'ecx'; did you mean 'exc'?"),
    (
        lambda: pt.Population("1p", 1, pt.IF_curr_exp),
        "Population.name: must be letters, digits and _, starting with a letter, got '1p'; call it for "
        'example "exc"',
    ),
    (
        lambda: pt.Population("p\n", 1, pt.IF_curr_exp),
        "Population.name: must be letters, digits and _, starting with a letter, got 'p\\n'; call it for "
        'example "exc"',
    ),
    (lambda: pt.Network("", [EXC]), "Network.name: must be a line of text, got ''; for example \"brunel\""),
    (
        lambda: pt.Network("n", [EXC, pt.Population("exc", 3, pt.Izhikevich)]),
        "populations[1].name: 'exc' is already populations[0]; give each population its own name",
    ),
    (
        lambda: pt.Network("n", [EXC], [projection(pre=NOISE)]),
        "projections[0].pre: population 'noise' is not in the network; add it to populations=[...]",
    ),
    (
        lambda: pt.Network("n", [EXC], recordings=[pt.Record(INH)]),
        "recordings[0].target: population 'inh' is not in the network; add it to populations=[...]",
    ),
    # units
    (
        lambda: pt.IF_curr_exp(tau_m="20 mV"),
        "IF_curr_exp.tau_m: must be a time (ms), got 20.0 mV which is voltage (mV); give it in ms",
    ),
    (lambda: pt.IF_curr_exp(tau_m="20 msec"), "IF_curr_exp.tau_m: unknown unit 'msec'; did you mean 'ms'?"),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Normal("1 mV", "2 ms")),
        "IF_curr_exp.v_rest.sd: must be a voltage (mV), got 2.0 ms which is time (ms); give it in mV",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=["1 mV", "2 ms"]),
        "IF_curr_exp.v_rest[1]: must be a voltage (mV), got 2.0 ms which is time (ms); give it in mV",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Array([1], "ms")),
        "IF_curr_exp.v_rest: must be a voltage (mV), got 0.0 ms which is time (ms); give it in mV",
    ),
    (
        lambda: projection(post=INH, pre=EXC),
        "projection 'exc->inh/excitatory'.weight: must be a conductance (nS), got 20.0 pA which is current "
        "(pA); give it in uS",
    ),
    (
        lambda: projection(synapse=pt.StaticSynapse(1, "1 mV")),
        "projection 'exc->exc/excitatory'.delay: must be a time (ms), got 1.0 mV which is voltage (mV); "
        "give it in ms",
    ),
    (
        lambda: projection(post=[EXC, INH]),
        "projection 'exc->exc+inh/excitatory'.post: the targets' weights have different units: nA, uS; make "
        "one projection for each kind of cell",
    ),
    # ranges
    (
        lambda: pt.IF_curr_exp(tau_m=-1),
        "IF_curr_exp.tau_m: must be > 0 ms, got -1.0 ms; give a positive value",
    ),
    (
        lambda: pt.IF_curr_exp(tau_syn_E=0),
        "IF_curr_exp.tau_syn_E: must be > 0 ms, got 0.0 ms; give a positive value",
    ),
    (
        lambda: pt.IF_curr_exp(tau_refrac=-1),
        "IF_curr_exp.tau_refrac: must be >= 0 ms, got -1.0 ms; give a positive value",
    ),
    (
        lambda: pt.IF_curr_exp(tau_m=[20, -3.5]),
        "IF_curr_exp.tau_m: must be > 0 ms, got an array with -3.5 in it; give a positive value",
    ),
    (
        lambda: pt.IF_curr_exp(tau_m=pt.Uniform(-1, 1)),
        "IF_curr_exp.tau_m: must be > 0 ms, got Uniform(low=-1.0 ms, high=1.0 ms); give a positive value",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=math.nan),
        "IF_curr_exp.v_rest: must be finite, got nan; give a number in mV",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=[1.0, math.inf]),
        "IF_curr_exp.v_rest[1]: must be finite, got inf; give numbers in mV",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=np.array([math.nan, 1.0])),
        "IF_curr_exp.v_rest[0]: must be finite, got nan; give numbers in mV",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Uniform(1, 0)),
        "IF_curr_exp.v_rest: Uniform needs low <= high, got 1.0 mV and 0.0 mV; swap them",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Normal(1, 0.1, low=3, high=2)),
        "IF_curr_exp.v_rest: needs low <= high, got 3.0 mV and 2.0 mV; swap them",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Normal(1, -0.1)),
        "IF_curr_exp.v_rest.sd: must be 0 or more, got -0.1 mV; give the standard deviation, not the "
        "variance",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Lognormal(-1, 0.1)),
        "IF_curr_exp.v_rest.mean: of a Lognormal must be > 0, got -1.0 mV; give the mean of the result, not "
        "of its logarithm",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=pt.Clipped(5)),
        "IF_curr_exp.v_rest.of: Clipped needs a Uniform, Normal or Lognormal, got 5.0 mV; give the plain "
        "value instead",
    ),
    (
        lambda: projection(synapse=pt.StaticSynapse(1, 0)),
        "projection 'exc->exc/excitatory'.delay: must be > 0 ms, got 0.0 ms; give at least one time step",
    ),
    (
        lambda: projection(synapse=pt.StaticSynapse(1, [1.0, -2.0])),
        "projection 'exc->exc/excitatory'.delay: must be > 0 ms, got -2.0; give at least one time step",
    ),
    (
        lambda: projection(synapse=pt.StaticSynapse(1, pt.Uniform(-2, 0))),
        "projection 'exc->exc/excitatory'.delay: must be > 0 ms, got Uniform(low=-2.0 ms, high=0.0 ms); "
        "give at least one time step",
    ),
    (
        lambda: pt.SpikeSourcePoisson(-5),
        "SpikeSourcePoisson.rate: must be 0 Hz or more, got -5.0 Hz; bound the distribution with low=0, or "
        "give a positive rate",
    ),
    (
        lambda: pt.SpikeSourcePoisson(5, start=-1),
        "SpikeSourcePoisson: start and duration must be >= 0 ms, got -1.0 ms and None; time starts at 0 ms",
    ),
    (
        lambda: pt.SpikeSourceArray([0.0, 1.0]),
        "SpikeSourceArray.spike_times: spike times must be > 0 ms, got 0.0 ms; the first possible spike is "
        "at dt",
    ),
    (
        lambda: pt.SpikeSourceArray([[1.0], [2.0, math.nan]]),
        "SpikeSourceArray.spike_times[1][1]: must be finite, got nan; give numbers in ms",
    ),
    (
        lambda: pt.SpikeSourceArray(5.0),
        "SpikeSourceArray.spike_times: expected a list of times, got 5.0; write [1.0, 2.5] or one such list "
        "per cell",
    ),
    (
        lambda: pt.SpikeSourceArray("5 ms"),
        "SpikeSourceArray.spike_times: expected a list of times, got '5 ms'; write [1.0, 2.5] or one such "
        "list per cell",
    ),
    (
        lambda: pt.DCSource(1, start=5, stop=2),
        "DCSource: needs 0 <= start <= stop, got 5.0 ms and 2.0 ms; time starts at 0 ms",
    ),
    (lambda: pt.StepCurrentSource([2, 1], [1, 2]), "StepCurrentSource.times: must increase; sort them"),
    (
        lambda: pt.StepCurrentSource([1, 2], [1]),
        "StepCurrentSource: times and amplitudes must be lists of one length, got 2 and 1; give each time "
        "its amplitude",
    ),
    (
        lambda: pt.StepCurrentSource(1, 2),
        "StepCurrentSource: times and amplitudes must be lists, got 1.0 ms and 2.0 nA; for example [0, 100] "
        "and [0.1, 0.5]",
    ),
    (
        lambda: pt.Record(EXC, "v", interval=0),
        "Record.interval: must be > 0 ms, got 0.0 ms; leave it out to record every step",
    ),
    (
        lambda: pt.Record(EXC, []),
        'Record.variables: is an empty list; say what to record, for example "spikes" or ["v"]',
    ),
    (
        lambda: pt.FixedProbability(1.5),
        "FixedProbability.p: must be between 0 and 1, got 1.5; a probability of 10 % is 0.1",
    ),
    (
        lambda: pt.FixedProbability(math.nan),
        "FixedProbability.p: must be between 0 and 1, got nan; a probability of 10 % is 0.1",
    ),
    (
        lambda: pt.FixedInDegree(-1),
        "FixedInDegree.n: must be a whole number >= 0, got -1; give a number of connections",
    ),
    (
        lambda: pt.FixedTotalNumber(2.5),
        "FixedTotalNumber.n: must be a whole number >= 0, got 2.5; give a number of connections",
    ),
    (
        lambda: pt.Explicit([0.5], [0]),
        "Explicit.pre: must be a one-dimensional array of whole numbers >= 0; give the positions of cells "
        "in their side, counted from 0",
    ),
    (
        lambda: pt.Explicit([0], [math.inf]),
        "Explicit.post: must be a one-dimensional array of whole numbers >= 0; give the positions of cells "
        "in their side, counted from 0",
    ),
    (
        lambda: pt.Explicit(["a"], [0]),
        "Explicit.pre: must be a one-dimensional array of whole numbers >= 0; give the positions of cells "
        "in their side, counted from 0",
    ),
    (
        lambda: pt.Explicit([[0], [0, 1]], [0]),
        "Explicit.pre: must be a one-dimensional array of whole numbers >= 0; give the positions of cells "
        "in their side, counted from 0",
    ),
    (
        lambda: pt.Explicit([0, 1], [0]),
        "Explicit: pre and post must have one length, got 2 and 1; entry i of both is connection i",
    ),
    # sizes
    (
        lambda: pt.Population("p", 0, pt.IF_curr_exp),
        "Population 'p'.size: must be a whole number > 0, got 0; give the number of cells",
    ),
    (
        lambda: pt.Population("p", 2**32, pt.IF_curr_exp),
        "Population 'p'.size: must be less than 2**32, got 4294967296; no backend can hold so many cells in "
        "one population",
    ),
    (
        lambda: pt.Population("p", 2.0, pt.IF_curr_exp),
        "Population 'p'.size: must be a whole number > 0, got 2.0; give the number of cells",
    ),
    (
        lambda: pt.Population("p", True, pt.IF_curr_exp),
        "Population 'p'.size: must be a whole number > 0, got True; give the number of cells",
    ),
    (
        lambda: pt.Population("p", 3, pt.IF_curr_exp(tau_m=[1, 2])),
        "Population 'p'.tau_m: has 2 values for 3 cells; give one value, or one per cell",
    ),
    (
        lambda: pt.Population("p", 3, pt.IF_curr_exp, {"v": [1, 2]}),
        "Population 'p'.initial['v']: has 2 values for 3 cells; give one value, or one per cell",
    ),
    (
        lambda: pt.Population("p", 3, pt.SpikeSourcePoisson([1, 2])),
        "Population 'p'.rate: has 2 values for 3 cells; give one value, or one per cell",
    ),
    (
        lambda: pt.Population("p", 3, pt.SpikeSourceArray([[1], [2]])),
        "Population 'p'.spike_times: has 2 trains for 3 cells; give one train, or one per cell",
    ),
    (
        lambda: pt.Injection(pt.DCSource([1, 2]), EXC),
        "Injection.source.amplitude: has 2 values for 10 cells; give one value, or one per target cell",
    ),
    (lambda: EXC[[1, 99]], "exc[...]: there is no cell 99; 'exc' has cells 0 to 9"),
    (lambda: EXC[-11], "exc[...]: there is no cell -11; 'exc' has cells 0 to 9"),
    (lambda: EXC[[0.5]], "exc[...]: cells are chosen by whole numbers, got [0.5]; 'exc' has cells 0 to 9"),
    (
        lambda: EXC[np.array([True, False])],
        "exc[...]: a mask of 2 values for 10 cells; 'exc' has cells 0 to 9",
    ),
    (lambda: EXC["v"], "exc[...]: cells are chosen by whole numbers, got 'v'; 'exc' has cells 0 to 9"),
    (
        lambda: EXC[::0],
        "exc[...]: a slice takes whole numbers and a step other than 0, got slice(None, None, 0); write for "
        "example exc[0:100:2]",
    ),
    (
        lambda: projection(pre=EXC[5:5]),
        "Projection.pre: the view exc[5:5] is empty; choose at least one cell",
    ),
    (lambda: projection(pre=[]), "Projection.pre: is an empty list; give at least one population or view"),
    # the wrong kind of thing
    (
        lambda: pt.Population("p", 3, "IF_curr_exp"),
        "Population 'p'.cell: expected a cell or a spike source, got 'IF_curr_exp'; for example "
        "pt.IF_curr_exp(tau_m='20 ms')",
    ),
    (
        lambda: projection(pre="exc"),
        "Projection.pre: expected a population or a view, got 'exc'; for example exc, exc[:10] or [exc, inh]",
    ),
    (
        lambda: projection(pre=[EXC, 3]),
        "Projection.pre[1]: expected a population or a view, got 3; for example exc, exc[:10] or [exc, inh]",
    ),
    (
        lambda: projection(post=NOISE),
        "projection 'exc->noise/excitatory'.post: 'noise' is a spike source and takes no input; connect "
        "from it, not to it",
    ),
    (
        lambda: projection(connector=0.1),
        "projection 'exc->exc/excitatory'.connector: expected a connector, got 0.1; for example "
        "pt.FixedInDegree(100)",
    ),
    (
        lambda: projection(synapse=0.1),
        "Projection.synapse: expected a synapse, got 0.1; for example pt.StaticSynapse(weight='20 pA', "
        "delay='1.5 ms')",
    ),
    (
        lambda: projection(receptor=3),
        "Projection: name and receptor must be text, got '' and 3; for example receptor=\"excitatory\"",
    ),
    (
        lambda: pt.Injection(pt.DCSource(1), NOISE),
        "Injection.target: 'noise' takes no current; its equations must read i_ext",
    ),
    (
        lambda: pt.Injection(1.0, EXC),
        "Injection.source: expected a current source, got 1.0; for example pt.DCSource(0.5)",
    ),
    (
        lambda: pt.Network("n", ["exc"]),
        "populations[0]: expected a Population, got 'exc'; make one with pt.Population(...)",
    ),
    (
        lambda: pt.IF_curr_exp(receptors={"x": pt.CurrExp}),
        "IF_curr_exp.receptors['x']: expected a receptor, got ReceptorType('CurrExp'); write for example "
        "pt.CurrExp(tau_syn='5 ms')",
    ),
    (
        lambda: pt.IF_curr_exp(receptors={"excitatory": pt.CurrExp()}),
        "IF_curr_exp.receptors['excitatory']: is already a receptor of this type; give it another name",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=np.array(["1", "2"])),
        "IF_curr_exp.v_rest: expected numbers in an array; pass a one-dimensional numpy array of floats",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=np.array([1j])),
        "IF_curr_exp.v_rest: expected numbers in an array; pass a one-dimensional numpy array of floats",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=np.zeros((2, 2))),
        "IF_curr_exp.v_rest: expected a one-dimensional array, got shape (2, 2); pass one value per cell",
    ),
    (
        lambda: pt.IF_curr_exp(v_rest=[[1, 2]]),
        'IF_curr_exp.v_rest[0]: expected a number or a quantity, got [1, 2]; write for example "20 mV"',
    ),
]


@pytest.mark.parametrize(("make", "message"), CASES, ids=[m.split(":")[0] for _, m in CASES])
def test_the_whole_message(make: Any, message: str) -> None:
    with pytest.raises(pt.ModelError) as caught:
        make()
    assert str(caught.value) == message
    assert caught.value.remedy, "says what to do"
    assert isinstance(caught.value, ValueError)
