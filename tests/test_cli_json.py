"""What `--json` prints is JSON of a fixed shape, for scripts: one schema for each command."""

import json

import jsonschema
import pytest

from portable.cli import main

MODEL = """
import portable as pt
exc = pt.Population("exc", 4, pt.EIF_cond_exp_isfa_ista(i_offset=1.0), initial={"v": pt.Uniform(-70, -60)})
network = pt.Network(
    "net", [exc], [pt.Projection(exc, exc, pt.AllToAll(), pt.StaticSynapse(0.001, pt.Uniform(0.5, 2.0)))],
    [pt.Injection(pt.DCSource(0.1), exc)], [pt.Record(exc, ("spikes", "v"), interval=1.0)],
)
"""
TEXT, NUMBER, WHOLE, TRUTH = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
MAYBE = {"type": ["number", "null"]}


def record(**properties):
    """An object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(item, least=1):
    return {"type": "array", "items": item, "minItems": least}


def table(item):
    return {"type": "object", "additionalProperties": item}


TWO = {"type": "array", "minItems": 2, "maxItems": 2, "items": NUMBER}
APPROXIMATION = record(where=TEXT, asked=TEXT, got=TEXT, largest_error=TEXT, reason=TEXT)
POPULATION = record(population=TEXT, cells=WHOLE, spikes=TWO, rates=TWO, equal=WHOLE, near=WHOLE)
TRACE = record(
    population=TEXT,
    variable=TEXT,
    unit=TEXT,
    largest=MAYBE,
    time=NUMBER,
    neuron=WHOLE,
    values={"type": "array"},
    before=MAYBE,
)
SYNAPSES = record(
    projection=TEXT,
    variable=TEXT,
    unit=TEXT,
    largest=MAYBE,
    time=NUMBER,
    source=WHOLE,
    target=WHOLE,
    values=TWO,
    before=MAYBE,
    scale=NUMBER,
)
DIVERGENCE = {
    "oneOf": [{"type": "null"}, record(time=NUMBER, step=WHOLE, population=TEXT, neuron=WHOLE, spikes=TWO)]
}
PAIR = record(
    first=TEXT,
    second=TEXT,
    seed=WHOLE,
    populations=many(POPULATION),
    traces=many(TRACE),
    divergence=DIVERGENCE,
    synapses=many(SYNAPSES, 0),
    identical=TRUTH,
    spikes=TWO,
    equal=NUMBER,
    within_one_step=NUMBER,
)
SIDE = record(
    backend=TEXT,
    seed=WHOLE,
    simulator=TEXT,
    inputs=TEXT,
    integrators=table(TEXT),
    approximations=many(TEXT),
    seconds=table(NUMBER),
    spikes=WHOLE,
)
LOOP = record(
    population=TEXT, cells=many(WHOLE), pair=PAIR, spike_time_difference=MAYBE, missing=many(TEXT, 0)
)
SCHEMAS = {
    "run": record(
        version={"const": 1},
        network=TEXT,
        backend=TEXT,
        dt=NUMBER,
        duration=NUMBER,
        sizes=table(WHOLE),
        model_options={"type": "object"},
        populations=many(record(name=TEXT, size=WHOLE, recorded=WHOLE, spikes=WHOLE, rate=NUMBER, cv=MAYBE)),
        traces=many(record(population=TEXT, variable=TEXT, unit=TEXT, cells=WHOLE, samples=WHOLE)),
        provenance={"type": "object"},
        approximations=many(APPROXIMATION),
        real_time_factor=MAYBE,
    ),
    "compare": record(
        version={"const": 1},
        network=TEXT,
        dt=NUMBER,
        duration=NUMBER,
        backends=many(TEXT, 2),
        seeds=many(WHOLE),
        sides=many(SIDE),
        pairs=many(PAIR),
        single_cells=many(LOOP),
        failures=table(TEXT),
        notes=many(TEXT, 0),
        verdict={"enum": ["identical", "different", "not comparable"]},
        identical=TRUTH,
    ),
    "show": record(
        version={"const": 1},
        network=TEXT,
        neurons=WHOLE,
        synapses=WHOLE,
        memory=table(WHOLE),
        populations=many(
            record(name=TEXT, size=WHOLE, cell=TEXT, parameters=table(TEXT), initial=table(TEXT))
        ),
        projections=many(
            record(name=TEXT, connector=TEXT, receptor=TEXT, weight=TEXT, delay=TEXT, synapses=WHOLE)
        ),
        inputs=many(record(source=TEXT, values=table(TEXT), target=TEXT)),
        recordings=many(record(target=TEXT, variables=many(TEXT), interval=TEXT)),
    ),
    "check": record(
        version={"const": 1},
        network=TEXT,
        backend=TEXT,
        can_run=TRUTH,
        shortfalls=many(record(feature=TEXT, where=TEXT, reason=TEXT, remedy=TEXT), 0),
    ),
}
BACKEND = record(
    installed=TRUTH,
    simulator={"type": ["string", "null"]},
    install=TEXT,
    support=table(TEXT),
    conditions=table(TEXT),
    integrators=table(TEXT),
    options=table(TEXT),
    fidelity=TEXT,
)
ARGUMENTS = {
    "run": ["-b", "reference", "-t", "30 ms"],
    "compare": ["--backends", "reference,same", "-t", "30 ms"],
    "show": [],
    "check": ["-b", "reference"],
}


@pytest.mark.parametrize("command", SCHEMAS)
def test_the_shape(command, capsys, tmp_path, monkeypatch):
    from test_compare import Other

    from portable.backends import registry

    get = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Other(name) if name == "same" else get(name))
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    assert main([command, str(path), *ARGUMENTS[command], "--json"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMAS[command])


def test_the_shape_of_backends(capsys):
    assert main(["backends", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.validate(
        data, record(version={"const": 1}, backends=table(BACKEND), broken=table(TEXT), features=table(TEXT))
    )
    assert data["backends"].keys() >= {"reference", "native", "nest", "brian2"}
