"""Wrong documents: one clear error each, with its place in the document, the rule, the value and the
remedy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from test_documents import small

import portable as pt
from portable.schemas import document

GOOD = pt.to_document(small())


def put(*path: Any) -> Callable[[Any], None]:
    """A change to a document: the last argument is put where the others lead."""
    *way, last, value = path

    def change(data: Any) -> None:
        for k in way:
            data = data[k]
        data[last] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    *way, last = path

    def change(data: Any) -> None:
        for k in way:
            data = data[k]
        del data[last]

    return change


PARAMETERS = ("populations", 0, "component", "parameters")
P0, SYNAPSE = "projections", ("projections", 0, "synapse")
LEARNS = ("projections", 2, "synapse")
CASES = [
    (
        put("populations", 0, "componnt", {}),
        "populations[0].componnt: unknown key; did you mean 'component'?",
    ),
    (
        drop("populations", 0, "component"),
        "populations[0].component: is missing; add it: what its cells are: a cell type with parameters, or "
        "a source of spikes.",
    ),
    (
        put("populations", 0, "component", "type", "IF_cur_exp"),
        "populations[0].component.type: no cell type 'IF_cur_exp'; did you mean 'IF_curr_exp'?",
    ),
    (
        put(*PARAMETERS, "tau_m", "-20 ms"),
        "populations[0].component.parameters.tau_m: must be > 0 ms, got -20.0 ms; give a positive value",
    ),
    (
        put(*PARAMETERS, "tau_m", "20 mV"),
        "populations[0].component.parameters.tau_m: must be a time (ms), got 20.0 mV which is voltage (mV); "
        "give it in ms",
    ),
    (
        put(*PARAMETERS, "tau_m", "20 msec"),
        "populations[0].component.parameters.tau_m: unknown unit 'msec'; did you mean 'ms'?",
    ),
    (
        put(*PARAMETERS, "taum", 20),
        "populations[0].component.parameters.taum: is no parameter of this type; did you mean 'tau_m'?",
    ),
    (
        put(*PARAMETERS, "tau_m", [1.0, 2.0]),
        "populations[0].component.parameters.tau_m: has 2 values for 8 cells; give one value, or one per "
        "cell",
    ),
    (
        put(*PARAMETERS, "tau_m", [1.0, float("nan")]),
        "populations[0].component.parameters.tau_m[1]: must be a number or a quantity, got nan; write for "
        'example "20 ms"',
    ),
    (
        put(*PARAMETERS, "tau_m", True),
        "populations[0].component.parameters.tau_m: must be a number or a quantity, got true; write for "
        'example "20 ms"',
    ),
    (
        put(*PARAMETERS, "tau_m", 10**400),
        f"populations[0].component.parameters.tau_m: must be a number or a quantity, got 1{'0' * 46}...; "
        'write for example "20 ms"',
    ),
    (
        put(*PARAMETERS, "tau_m", {"type": "Norml"}),
        "populations[0].component.parameters.tau_m.type: unknown type 'Norml'; did you mean 'Normal'?",
    ),
    (
        put("populations", 0, "component", "receptors", {"slow": "CurExp"}),
        "populations[0].component.receptors.slow: no receptor type 'CurExp'; did you mean 'CurrExp'?",
    ),
    (
        put("populations", 0, "component", "receptors", {"excitatory": "CurrExp"}),
        "populations[0].component.receptors.excitatory: is already a receptor of this type; give it another "
        "name",
    ),
    (
        put("populations", 0, "initial", "w", 1),
        "populations[0].initial['w']: is no state variable of this cell; known: isyn_exc, isyn_inh, v",
    ),
    (
        put("populations", 0, "size", 0),
        "populations[0].size: must be a whole number >= 1, got 0; write for example 1",
    ),
    (
        put("populations", 0, "size", "8"),
        "populations[0].size: must be a whole number >= 1, got '8'; write for example 1",
    ),
    (
        put("populations", 1, "id", "exc"),
        "populations[1].id: 'exc' is already populations[0]; give each its own",
    ),
    (
        put("populations", 2, "component", "rate", "-1 Hz"),
        "populations[2].component.rate: must be 0 Hz or more, got -1.0 Hz; bound the distribution with "
        "low=0, or give a positive rate",
    ),
    (
        put(P0, 0, "postsynapticPopulation", "ecx"),
        "projections[0].postsynapticPopulation: no population 'ecx'; did you mean 'exc'?",
    ),
    (
        put(P0, 0, "postsynapticPopulation", "noise"),
        "projections[0].postsynapticPopulation: 'noise' is a spike source and takes no input; connect from "
        "it, not to it",
    ),
    (
        put(P0, 0, "postsynapticPopulation", {"population": "exc", "index": [99]}),
        "projections[0].postsynapticPopulation.index: there is no cell 99; 'exc' has cells 0 to 7",
    ),
    (
        put(P0, 0, "postsynapticPopulation", {"population": "exc", "slice": {"start": 99}}),
        "projections[0].postsynapticPopulation: the view exc[99:] is empty; 'exc' has cells 0 to 7",
    ),
    (
        put(P0, 0, "receptor", "excitatry"),
        "projections[0].receptor: 'exc' has no receptor 'excitatry'; did you mean 'excitatory'?",
    ),
    (
        put(*SYNAPSE, "weight", "1 mV"),
        "projections[0].synapse.weight: must be a current (pA), got 1.0 mV which is voltage (mV); give it "
        "in nA",
    ),
    (
        put(*SYNAPSE, "delay", 0),
        "projections[0].synapse.delay: must be > 0 ms, got 0.0 ms; give at least one time step",
    ),
    (
        put(*SYNAPSE, "delay", {"type": "Uniform", "low": 3, "high": 1}),
        "projections[0].synapse.delay: Uniform needs low <= high, got 3.0 ms and 1.0 ms; swap them",
    ),
    (
        put(P0, 0, "connector", "n", 1.5),
        "projections[0].connector.n: must be a whole number >= 0, got 1.5; write for example 0",
    ),
    (
        put(P0, 0, "connector", "type", "FixedIndegree"),
        "projections[0].connector.type: unknown type 'FixedIndegree'; did you mean 'FixedInDegree'?",
    ),
    (
        put(P0, 1, "connector", "pre", [1]),
        "projections[1].connector: pre and post must have one length, got 1 and 2; entry i of both is "
        "connection i",
    ),
    (
        put("inputs", 0, "population", "noise"),
        "inputs[0].population: 'noise' takes no current; its equations must read i_ext",
    ),
    (
        put("recordings", 0, "variables", ["spike"]),
        "recordings[0].variables: 'exc' has no 'spike' to record; did you mean 'spikes'?",
    ),
    (
        put("recordings", 1, "interval", 0),
        "recordings[1].interval: must be > 0 ms, got 0.0 ms; leave it out to record every step",
    ),
    (
        put("portable", "2"),
        "portable: this portable reads version 1, got '2'; install the version of portable that wrote it, "
        "or write it again",
    ),
    (drop("portable"), 'portable: is missing, so this is no network of portable; begin with "portable": "1"'),
    (
        put("cell_types", 0, "equations", "dv/dt = -v : mV"),
        "cell_types[0].equations: dv/dt: '-v' is voltage (mV) but must be mV/ms; check the units of its "
        "parameters",
    ),
    (
        put("cell_types", 0, "reset", "q = 1"),
        "cell_types[0].reset: 'q' is assigned but is no state variable; known: v, w",
    ),
    (
        put("cell_types", 0, "receptors", "slow", "NMD"),
        "cell_types[0].receptors.slow: no receptor type 'NMD'; did you mean 'NMDA'?",
    ),
    (
        put("receptor_types", 0, "requires", {"v": "qq"}),
        'receptor_types[0].requires[\'v\']: unknown unit \'qq\'; write it like "mV", "nS", "1/ms" or '
        '"uF/cm**2"',
    ),
    (
        put(*LEARNS, "type", "STPD"),
        "projections[2].synapse.type: no synapse type 'STPD'; did you mean 'STDP'?",
    ),
    (
        put(*LEARNS, "tau_pls", 10),
        "projections[2].synapse.tau_pls: is no parameter of this rule; did you mean 'tau_plus'?",
    ),
    (
        put(*LEARNS, "tau_plus", "-1 ms"),
        "projections[2].synapse.tau_plus: must be > 0 ms, got -1; give a positive value",
    ),
    (
        drop(*LEARNS, "w_max"),
        "projections[2].synapse.w_max: has no default and no value was given; give it",
    ),
    (
        put(*LEARNS, "w_max", "1 mV"),
        "projections[2].synapse.w_max: must be a current (pA), got 1.0 mV which is voltage (mV); give "
        "it in nA",
    ),
    (
        put(*LEARNS, "dendritic_delay_fraction", 1.5),
        "projections[2].synapse.dendritic_delay_fraction: must be a number between 0 and 1, got 1.5; write "
        "for example 0",
    ),
    (
        put("projections", 3, "synapse", "initial", {"sen": 1}),
        "projections[3].synapse.initial['sen']: is no state of a connection; did you mean 'seen'?",
    ),
    (
        put("projections", 3, "synapse", "initial", "seen", "1 ms"),
        "projections[3].synapse.initial['seen']: must be a dimensionless, got 1.0 ms which is time (ms); "
        "give it in 1",
    ),
    (
        put("projections", 2, "signal", "exc"),
        "projections[2].signal: 'STDP' has no third factor; leave signal out",
    ),
    (
        put("projections", 0, "signal", "exc"),
        "projections[0].signal: a static synapse has no third factor; leave signal out",
    ),
    (
        put("projections", 2, "signal", "ecx"),
        "projections[2].signal: no population 'ecx'; did you mean 'exc'?",
    ),
    (
        put("projections", 2, "signal_delay", 1.0),
        "projections[2].signal_delay: goes with signal, which is not here; add signal",
    ),
    (
        put(*LEARNS, {"type": "DopamineSTDP", "w_max": "1 nA"}),
        "projections[2].signal: 'DopamineSTDP' has a third factor; give signal=POPULATION, whose spikes "
        "it is",
    ),
    (
        put("synapse_types", 0, "on_pre", "weight -= rate*y"),
        "synapse_types[0].on_pre: 'rate*y' is dimensionless but must be current (pA); check the units of its "
        "parameters",
    ),
    (
        put("synapse_types", 0, "bounds", "low", ""),
        "synapse_types[0].bounds: expected two, got ('', 'w_max'); write (\"w_min\", \"w_max\"); "
        "None: no bound",
    ),
    (
        put("synapse_types", 0, "aftr_pre", "x += 1"),
        "synapse_types[0].aftr_pre: unknown key; did you mean 'after_pre'?",
    ),
    (
        put("recordings", 2, "projection", "learn"),
        "recordings[2].projection: no projection 'learn'; did you mean 'learns'?",
    ),
    (
        put("recordings", 2, "projection", "mine"),
        "recordings[2].pre: 'noise' is not on this side; known: exc",
    ),
    (
        put("recordings", 2, {"projection": "exc+noise[2:]->exc/excitatory", "variables": ["weight"]}),
        "recordings[2].projection: projection 'exc+noise[2:]->exc/excitatory' does not learn; its weights "
        "stay as resolved",
    ),
    (
        put("recordings", 2, "variables", ["wieght"]),
        "recordings[2].variables: 'STDP' has no 'wieght'; did you mean 'weight'?",
    ),
    (
        put("recordings", 0, "projection", "learns"),
        "recordings[0]: must have exactly one of population and projection, got population and projection; "
        "keep one of them",
    ),
    (
        put("recordings", 0, "pre", "exc"),
        "recordings[0].pre: goes with projection, which is not here; add projection",
    ),
    (
        drop("recordings", 0, "population"),
        "recordings[0]: must have exactly one of population and projection, got neither; add one of them",
    ),
]


@pytest.mark.parametrize(("change", "message"), CASES, ids=[m.split(":")[0] for _, m in CASES])
def test_the_whole_message(change: Callable[[Any], None], message: str) -> None:
    data = copy.deepcopy(GOOD)
    change(data)
    with pytest.raises(pt.ModelError) as caught:
        pt.from_document(data)
    assert str(caught.value) == message


JSON = document.dumps(small())
YAML = document.dumps(small(), "yaml")
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9)
)
TEXTS = [
    (
        "json",
        JSON[:-3],
        f"line {JSON.count(chr(10)) - 1}, column 4: is no JSON: Expecting ',' delimiter (the text ends too "
        "early)",
    ),
    ("json", JSON[: JSON.index('"size"') + 3], "is no JSON: Unterminated string"),
    ("json", "", "line 1, column 1: is no JSON"),
    (
        "json",
        '{"portable": "1", "populations": [{"id": "a", "id": "b"}]}',
        "the key 'id' of 'b' is written twice in one object; keep one of them",
    ),
    ("json", JSON.replace('"-50.0 mV"', "NaN"), "NaN is no number of a document; give a finite number"),
    ("json", JSON.replace('"-50.0 mV"', "-Infinity"), "-Infinity is no number of a document"),
    (
        "json",
        JSON.replace('"-50.0 mV"', "1e999"),
        "populations[0].component.parameters.v_thresh: must be a number or a quantity, got inf",
    ),
    ("json", "[" * 100_000, "is nested too deeply"),
    ("json", '{"a": ' * 100_000, "is nested too deeply"),
    ("json", '{"a": ' + "1" * 10_000 + "}", "has a whole number of thousands of digits"),
    (
        "json",
        "[]",
        'a document must be an object, got a list of 0; begin with {"portable": "1", "name": ...}',
    ),
    ("yaml", BOMB, "line 1, column 5: anchors (&a0) are not read; write the value out where it is used"),
    ("yaml", "a: *x", "line 1, column 4: aliases (*) are not read"),
    (
        "yaml",
        "a: !!python/object/apply:os.system ['touch /tmp/portable_was_here']",
        "line 1, column 4: tags (tag:yaml.org,2002:python/object/apply:os.system) are not read",
    ),
    ("yaml", "!!python/name:os.system", "tags (tag:yaml.org,2002:python/name:os.system) are not read"),
    (
        "yaml",
        "portable: 1\nname: x\nname: y\n",
        "line 3, column 1: the key 'name' is written twice in one object",
    ),
    ("yaml", YAML[: YAML.index("component") + 3] + " [", "line"),
    ("yaml", "portable: '1'\n  name: x", "line 2, column"),
    ("yaml", "name: .nan", "line 1, column 7: .nan is no number of a document"),
    ("yaml", "- " * 100_000, "nested more than 40 levels deep"),
    ("yaml", "[" * 100_000, "nested more than 40 levels deep"),
    ("yaml", "a: 1\n--- \nb: 2", "line 2, column 1: a second document begins"),
    ("yaml", "? [1]\n: 2", "line 1, column 3: a key must be text"),
    ("yaml", "a: \x00", "is no YAML"),
    ("yaml", "", "a document must be an object, got null"),
]


@pytest.mark.parametrize(
    ("format", "broken", "message"), TEXTS, ids=[f"{i}-{f}" for i, (f, _, _) in enumerate(TEXTS)]
)
def test_a_text_that_is_broken(format: str, broken: str, message: str) -> None:
    with pytest.raises(pt.ModelError) as caught:
        document.loads(broken, format)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_yaml_has_the_types_of_json() -> None:
    """The traps of YAML 1.1: `no` and `on` were false and true, 1e-3 was text, 1:30 was 90, 010 was 8."""
    from portable.schemas.text import read_yaml

    assert read_yaml("[no, on, 1e-3, 1:30, 010, 0x10, true, null, ~, '1', 2020-01-01]") == [
        "no",
        "on",
        0.001,
        "1:30",
        10,
        "0x10",
        True,
        None,
        None,
        "1",
        "2020-01-01",
    ]


def test_errors_of_a_file_name_it(tmp_path: Any) -> None:
    path = tmp_path / "net.json"
    path.write_text(JSON.replace('"size": 8', '"size": -8'))
    with pytest.raises(pt.ModelError) as caught:
        pt.load(path)
    assert (
        str(caught.value)
        == "net.json: populations[0].size: must be a whole number >= 1, got -8; write for example 1"
    )
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(pt.ModelError, match=r"net.json: is not UTF-8 text: byte 0 is 0xff; save it as UTF-8"):
        pt.load(path)


def test_files_too_large_are_refused_before_they_are_read(tmp_path: Any) -> None:
    path = tmp_path / "net.yaml"
    with path.open("wb") as file:
        file.truncate(document.text.MAX_BYTES + 1)  # sparse: takes no space
    with pytest.raises(
        pt.ModelError,
        match=r"net.yaml: has 268435457 bytes; at most 268435456 are read; pass a larger max_bytes=",
    ):
        pt.load(path)
    pt.save(small(), path)
    with pytest.raises(pt.ModelError, match="at most 10 are read"):
        pt.load(path, max_bytes=10)


def test_unknown_suffixes_and_formats(tmp_path: Any) -> None:
    with pytest.raises(pt.ModelError, match=r"net.xml: unknown suffix '.xml'; name it .json, .yaml or .yml"):
        pt.save(small(), tmp_path / "net.xml")
    with pytest.raises(pt.ModelError, match=r"unknown format 'jsn'; did you mean 'json'\?"):
        document.dumps(small(), "jsn")
    with pytest.raises(FileNotFoundError):
        pt.load(tmp_path / "absent.json")
    with pytest.raises(pt.ModelError, match=r"expected a Network, got 3; pass the network itself"):
        pt.to_document(3)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('touch x')",
        "v.__class__",
        "lambda: 0",
        "(1).__class__",
        "open('x')",
        "exec(v)",
        "[v for v in v]",
        "v; import os",
        "9^9^9^9^9^9",
    ],
)
def test_equations_of_a_document_run_no_code(
    attack: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = copy.deepcopy(GOOD)
    for place in ("threshold", "equations", "reset", "refractory"):
        broken = copy.deepcopy(data)
        broken["cell_types"][0][place] = (
            f"dv/dt = {attack} : mV"
            if place == "equations"
            else f"v = {attack}"
            if place == "reset"
            else attack
        )
        with pytest.raises(pt.ModelError, match=rf"cell_types\[0\].{place}"):
            pt.from_document(broken)
    for place in ("pre_traces", "on_pre", "on_post", "after_pre", "sends"):
        broken = copy.deepcopy(data)
        broken["synapse_types"][0][place] = (
            f"dx/dt = {attack} : 1"
            if place == "pre_traces"
            else attack
            if place == "sends"
            else f"weight = {attack}"
        )
        with pytest.raises(pt.ModelError, match=r"synapse_types\[0\]"):
            pt.from_document(broken)
    assert not list(tmp_path.iterdir())
