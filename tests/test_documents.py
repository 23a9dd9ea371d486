"""Documents: the exact round trip, the published schema, and the two readings of the format (ours and JSON
Schema's).
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from networks import HEBB, NMDA, QUADRATIC, networks

import portable as pt
from portable.library.cells import CELLS
from portable.library.meanings import PARAMETERS
from portable.library.plasticity import SYNAPSES
from portable.schemas import document, read, table, text

VALIDATOR = jsonschema.Draft202012Validator(document.schema())
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def small() -> pt.Network:
    """One of everything, by hand."""
    exc = pt.Population(
        "exc", 8, pt.IF_curr_exp(tau_m="20 ms", v_thresh=-50), initial={"v": pt.Uniform(-65, -50)}
    )
    own = pt.Population("own", 3, QUADRATIC(e_rev_fast="0 mV", gain="2 Hz", free=[0.1, -0.0, 1e-300]))
    noise = pt.Population("noise", 8, pt.SpikeSourcePoisson(rate="20 Hz"))
    learns = pt.Projection(
        noise, exc, pt.OneToOne(), pt.STDP("20 pA", w_max="1 nA", tau_plus=pt.Uniform(10, 20)), name="learns"
    )
    mine = HEBB(0.1, 1.5, w_max="1 nA", initial={"seen": 0.5}, dendritic_delay_fraction=0.5)
    return pt.Network(
        "everything",
        [exc, own, noise],
        [
            pt.Projection(
                [exc, noise[2:]],
                exc,
                pt.FixedInDegree(8),
                pt.StaticSynapse("20 pA", pt.Normal(1.5, 0.75, low=0.1)),
            ),
            pt.Projection(
                exc[[1, 5]],
                own,
                pt.Explicit([0, 1], [2, 0]),
                pt.StaticSynapse([0.1, 0.2], 1.5),
                receptor="slow",
            ),
            learns,
            pt.Projection(exc, exc, pt.OneToOne(), mine, name="mine"),
        ],
        [
            pt.Injection(pt.DCSource(0.5, stop="1 s"), exc[::2]),
            pt.Injection(pt.StepCurrentSource([1, 2], [0.1, 0.2]), own),
        ],
        [
            pt.Record([exc, own], "spikes"),
            pt.Record(exc[:4], "v", "1 ms"),
            pt.Record(learns.between(noise[:4], exc[[0, 2]]), "weight", "5 ms"),
        ],
    )


@few
@given(networks())
def test_json_gives_back_an_equal_network(network: pt.Network) -> None:
    again = document.loads(document.dumps(network, "json"), "json")
    assert again == network
    assert hash(again) == hash(network)
    assert document.to_document(again) == document.to_document(network)


@few
@given(networks())
def test_yaml_gives_back_an_equal_network(network: pt.Network) -> None:
    assert document.loads(document.dumps(network, "yaml"), "yaml") == network


@few
@given(networks())
def test_what_we_write_is_valid_by_the_published_schema(network: pt.Network) -> None:
    VALIDATOR.validate(document.to_document(network))


@few
@given(networks())
def test_networks_pickle_and_copy(network: pt.Network) -> None:
    assert pickle.loads(pickle.dumps(network)) == network
    assert copy.deepcopy(network) == network


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml", "JSON"])
def test_save_and_load_by_suffix(tmp_path: Any, suffix: str) -> None:
    path = pt.save(small(), tmp_path / f"net.{suffix}")
    assert pt.load(path) == small()
    assert [p.name for p in tmp_path.iterdir()] == [f"net.{suffix}"], "a part file is left behind"


def test_a_failed_save_leaves_the_old_file(tmp_path: Any) -> None:
    path = pt.save(small(), tmp_path / "net.json")
    before = path.read_bytes()
    by_hand = pt.CellType(QUADRATIC.component, QUADRATIC.receptors)  # no text to write down
    with pytest.raises(
        pt.ModelError,
        match=r"populations\[0\].component: the cell type 'quadratic' has no text to write down; make it "
        r"with pt.cell_type",
    ):
        pt.save(pt.Network("x", [pt.Population("a", 1, by_hand(gain=1, free=1, e_rev_fast=0))]), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_every_standard_cell_survives_and_is_not_written_out() -> None:
    network = pt.Network("all", [pt.Population(name, 1, kind) for name, kind in CELLS.items()])
    written = pt.to_document(network)
    assert "cell_types" not in written
    assert pt.from_document(written) == network


def test_types_are_embedded_and_referred_to_by_name() -> None:
    written = pt.to_document(small())
    assert [t["name"] for t in written["cell_types"]] == ["quadratic"]
    assert [t["name"] for t in written["receptor_types"]] == ["NMDA"]
    assert written["cell_types"][0]["receptors"] == {"fast": "CondExp", "slow": "NMDA"}
    assert written["cell_types"][0]["parameters"]["gain"] == "1/ms", (
        "a required parameter keeps its unit and gets no default"
    )
    assert pt.from_document(written).populations[1].cell.type == QUADRATIC


def test_rules_are_embedded_if_they_are_not_the_librarys() -> None:
    written = pt.to_document(small())
    assert [t["name"] for t in written["synapse_types"]] == ["hebb"]
    assert written["projections"][2]["synapse"] == {
        "type": "STDP", "weight": "20.0 pA", "delay": "1.0 ms",
        "tau_plus": {"type": "Uniform", "low": "10.0 ms", "high": "20.0 ms"}, "tau_minus": "20.0 ms",
        "a_plus": 0.01, "a_minus": 0.0105, "mu_plus": 0.0, "mu_minus": 0.0, "w_min": "0.0 nA",
        "w_max": "1.0 nA", "dendritic_delay_fraction": 1.0,
    }  # fmt: skip
    assert pt.from_document(written).projections[3].synapse.type == HEBB


def test_every_rule_of_the_library_survives_and_is_in_the_published_schema() -> None:
    cells = pt.Population("cells", 3, pt.IF_cond_exp())
    needed = {"w_max": "1 uS", "w_ref": "1 nS", "total": "2 uS"}
    made = [
        pt.Projection(
            cells,
            cells,
            pt.OneToOne(),
            kind("10 nS", **{k: v for k, v in needed.items() if k in kind.parameters}),
            **({"signal": cells, "signal_delay": "2 ms"} if kind.rule().signal else {}),
        )
        for kind in SYNAPSES.values()
    ]
    network = pt.Network("all", [cells], made)
    written = pt.to_document(network)
    assert "synapse_types" not in written
    assert pt.from_document(written) == network
    for name, kind in SYNAPSES.items():
        known = document.schema()["$defs"][name]
        assert known["description"] == kind.description
        assert set(kind.parameters) < set(known["properties"])
        assert set(kind.parameters) <= set(PARAMETERS), "say in library/meanings.py what it is"


def test_a_users_rule_may_shadow_the_librarys() -> None:
    mine = pt.synapse_type("STDP", parameters={"gain": 0.5}, on_pre="weight = weight*gain")
    cells = pt.Population("cells", 3, pt.IF_cond_exp())
    network = pt.Network("x", [cells], [pt.Projection(cells, cells, pt.OneToOne(), mine(0.1, gain=0.2))])
    written = pt.to_document(network)
    VALIDATOR.validate(written)
    assert pt.from_document(written) == network
    both = [pt.Projection(cells, cells, pt.OneToOne(), s) for s in (mine(0.1), pt.STDP(0.1, w_max=1))]
    with pytest.raises(
        pt.ModelError, match=r"projections\[1\].synapse: two different synapse types are called 'STDP'"
    ):
        pt.to_document(pt.Network("x", [cells], both))


def test_recordings_find_projections_by_the_names_that_they_get() -> None:
    """Two projections of one name get numbers, here as in a Network."""
    data = pt.to_document(small())
    for p in data["projections"][2:]:
        del p["id"]
        p["presynapticPopulation"] = "exc"
    data["recordings"][2:] = [
        {"projection": f"exc->exc/excitatory{n}", "variables": ["weight"]} for n in ("", "#2")
    ]
    network = pt.from_document(data)
    assert [p.name for p in network.projections[2:]] == ["exc->exc/excitatory", "exc->exc/excitatory#2"]
    assert [r.synapses.projection for r in network.recordings[2:]] == [
        p.name for p in network.projections[2:]
    ]
    assert pt.from_document(pt.to_document(network)) == network


def test_a_rules_texts_are_plain_whatever_they_were_made_of() -> None:
    mine = pt.synapse_type(
        "Plain", parameters={"tau": pt.Quantity(5, "ms"), "gain": np.float64(0.5)},
        pre_traces="dx/dt = -x/tau : 1", on_pre="weight = weight*gain", after_pre="x += 1", positive=["tau"],
        every=(pt.Quantity(100, "ms"), "weight = weight*0.9"),
    )  # fmt: skip
    assert mine.definition["parameters"] == {"tau": "5.0 ms", "gain": 0.5}
    assert type(mine.definition["parameters"]["gain"]) is float
    assert mine.definition["every"] == ("100.0 ms", "weight = weight*0.9")


def test_two_types_of_one_name_are_refused() -> None:
    other = pt.receptor_type(
        "NMDA",
        equations="dg/dt = -g/tau : nA",
        parameters={"tau": "1 ms"},
        events={"in": "g += weight"},
        exposes={"i_syn": "g"},
    )
    cells = [pt.IF_curr_exp(receptors={"slow": NMDA()}), pt.IF_curr_exp(receptors={"slow": other()})]
    network = pt.Network("x", [pt.Population(f"p{i}", 1, c) for i, c in enumerate(cells)])
    with pytest.raises(
        pt.ModelError,
        match=r"populations\[1\].component.receptors: two different receptor types are called 'NMDA'",
    ):
        pt.to_document(network)


def test_a_users_type_may_shadow_a_standard_one() -> None:
    mine = pt.cell_type("Izhikevich", equations="dv/dt = -v/tau : mV", parameters={"tau": "1 ms"})
    network = pt.Network("x", [pt.Population("a", 1, mine)])
    assert pt.from_document(pt.to_document(network)) == network


def test_the_defaults_of_the_day_are_written_out() -> None:
    """A later change of a default must not change a saved model."""
    parameters = pt.to_document(small())["populations"][0]["component"]["parameters"]
    assert set(parameters) == set(pt.IF_curr_exp.parameters)


def test_a_short_document_by_hand() -> None:
    network = document.loads(
        """
        portable: 1
        name: by hand
        populations:
        - {id: exc, size: 10, component: {type: IF_curr_exp, parameters: {tau_m: 10, cm: 250 pF}}}
        - {id: drive, size: 10, component: {type: SpikeSourceArray, spike_times: [[1, 2.5, 1e1]]}}
        projections:
        - presynapticPopulation: drive
          postsynapticPopulation: {population: exc, slice: {stop: 5}}
          connector: {type: FixedProbability, p: 1e-1}
          synapse: {type: StaticSynapse, weight: 20 pA}
        recordings:
        - {population: exc, variables: [spikes]}
        """,
        "yaml",
    )
    exc = pt.Population("exc", 10, pt.IF_curr_exp(tau_m=10, cm="250 pF"))
    drive = pt.Population("drive", 10, pt.SpikeSourceArray([1, 2.5, 10]))
    synapse = pt.StaticSynapse("20 pA")
    assert network == pt.Network(
        "by hand",
        [exc, drive],
        [pt.Projection(drive, exc[:5], pt.FixedProbability(0.1), synapse)],
        recordings=[pt.Record(exc)],
    )


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@settings(deadline=None)
def test_floats_are_kept_to_the_last_bit(numbers: list[float]) -> None:
    for format in ("json", "yaml"):
        data = {"x": numbers, "y": numbers[0]}
        again = {"json": text.read_json, "yaml": text.read_yaml}[format](
            {"json": text.write_json, "yaml": text.write_yaml}[format](data)
        )
        assert np.array(again["x"]).tobytes() == np.array(numbers).tobytes(), format
        assert np.float64(again["y"]).tobytes() == np.float64(numbers[0]).tobytes(), format


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), inside, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
@settings(deadline=None)
def test_any_plain_data_survives_json(data: Any) -> None:
    assert text.read_json(text.write_json(data)) == data


@given(plain)
@settings(deadline=None)
def test_any_plain_data_survives_yaml(data: Any) -> None:
    assert text.read_yaml(text.write_yaml(data)) == data


def test_the_published_schema_is_current() -> None:
    assert document.schema() == json.loads(json.dumps(table.json_schema())), "run python -m portable.schemas"


def test_the_published_schema_is_a_schema_and_says_what_every_field_means() -> None:
    schema = document.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    fields = [
        (n, k, f)
        for n, d in [("Network", schema), *schema["$defs"].items()]
        for k, f in d.get("properties", {}).items()
    ]
    assert len(fields) > 60
    assert not [f"{n}.{k}" for n, k, f in fields if len(f.get("description", "")) < 5]


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inside = (
        list(data.items())
        if isinstance(data, dict)
        else list(enumerate(data))
        if isinstance(data, list)
        else []
    )
    return [path, *(p for k, v in inside for p in places(v, (*path, k)))]


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for k in path:
        data = data[k]
    return data


def refusal(call: Callable[..., Any], *arguments: Any) -> pt.ModelError | None:
    """The ModelError of a call; any other exception is a failure of the test."""
    try:
        call(*arguments)
    except pt.ModelError as error:
        return error
    return None


WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    "",
    "x",
    "20 ms",
    "1/ms",
    [],
    [1],
    ["a"],
    {},
    {"type": "Normal"},
    {"type": "AllToAll"},
    "exc",
    ["exc"],
    {"population": "exc"},
]


def mutations(data: Any) -> Iterator[tuple[str, Any]]:
    """Every kind of place, with every wrong value put there, dropped, renamed, or given an extra key; the
    document is put right again after each.
    """
    kinds = {tuple("*" if isinstance(k, int) else k for k in p): p for p in places(data) if p}
    for place in kinds.values():
        holder, key = at(data, place[:-1]), place[-1]
        kept = holder[key]
        for value in WRONG:
            holder[key] = value
            yield f"{place} = {value!r}", data
        holder[key] = kept
        if isinstance(holder, dict):
            before = dict(holder)
            for name, change in (("drop", {}), ("rename", {f"{key}x": kept})):
                holder.clear()
                holder.update({k: v for k, v in before.items() if k != key} | change)
                yield f"{name} {place}", data
            holder.clear()
            holder.update(before)


@pytest.mark.slow
def test_our_reader_and_the_schema_refuse_the_same_documents() -> None:
    """The shape check of the reader and a JSON Schema validator must agree on every mutation, well-formed or
    not.
    """
    count = {True: 0, False: 0}
    for what, broken in mutations(pt.to_document(small())):
        valid, error = VALIDATOR.is_valid(broken), refusal(table.DOCUMENT.check, broken, "")
        assert valid == (error is None), f"{what}: the schema says {valid}, the reader {error}"
        assert error is None or error.remedy, what
        count[valid] += 1
    assert min(count.values()) > 100, "both answers must occur"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_broken_document_gives_a_network_or_one_clear_error(data: st.DataObject) -> None:
    """Never another exception than ModelError, whatever is put wherever."""
    broken = copy.deepcopy(pt.to_document(small()))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from([p for p in places(broken) if p]))
        at(broken, place[:-1])[place[-1]] = data.draw(st.sampled_from(WRONG) | plain)
    error = refusal(read.network, broken)
    if error is None:
        network = read.network(broken)
        assert pt.from_document(pt.to_document(network)) == network
    else:
        assert error.rule
