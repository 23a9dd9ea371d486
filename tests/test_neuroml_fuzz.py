"""Whatever stands in a NeuroML file, it is read or refused with one ModelError: never another exception, a
warning or an endless read.
"""

from __future__ import annotations

import random
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("lxml")
pytest.importorskip("pyneuroml", reason="NeuroML's core types are in the package pyneuroml")

from mutations import VALUES, mutated
from neuroml_texts import FUZZED, V, net, own, projection

import portable as pt
from portable.schemas.neuroml.read import problems

EXAMPLES = Path(__file__).resolve().parents[2] / "shared" / "neuroml"
LIMIT = 30  # s, for what takes half a second at most when nothing else runs
DRAWN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TooLong(BaseException):
    """Not an Exception, so that no handler of the reader takes it for its own."""


@pytest.fixture(autouse=True)
def no_endless_read() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def read_or_refused(path: Path, folder: Path | None = None) -> bool:
    """True if the file gives a network that native takes or refuses. Every other exception comes through."""
    signal.alarm(LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            found = problems(path, folder)
            try:
                made = pt.read_neuroml(path, folder=folder)
                pt.check(made, "native", dt=made.settings.dt if made.settings else None)
                refusal = ""
            except (pt.ModelError, pt.BackendUnavailable) as error:
                refusal = str(error)
            assert len(refusal) < 3000
            assert refusal or len(found) < 1000
            return not refusal
    finally:
        signal.alarm(0)


def texts() -> list[str]:
    found = [
        *sorted((EXAMPLES / "examples").glob("*.nml")),
        *sorted((EXAMPLES / "LEMSexamples").glob("LEMS*.xml")),
    ]
    return [*FUZZED, *(f.read_text() for f in found)]


@pytest.mark.parametrize("seed", range(6))
def test_mutated_files(seed: int, tmp_path: Path) -> None:
    """Some thousand a minute come from benchmarks/fuzz_neuroml.py."""
    if (EXAMPLES / "examples").is_dir():
        shutil.copytree(EXAMPLES / "examples", tmp_path / "examples")
    (tmp_path / "main").mkdir()
    path, rng, all_texts = tmp_path / "main" / "bad.nml", random.Random(seed), texts()
    count = {True: 0, False: 0}
    for _ in range(60):
        path.write_text(mutated(rng.choice(all_texts), rng), errors="replace")
        count[read_or_refused(path, tmp_path)] += 1
    assert min(count.values()) > 5, "both answers must occur"


XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters='"<&', exclude_categories=["Cc", "Cs"]), max_size=40
)
VALUE = XML_TEXT | st.sampled_from([v for v in VALUES if not set(v) & set('"<&')]) | st.floats().map(str)


@DRAWN
@given(value=VALUE, where=st.sampled_from(["id", "preCellId", "postCellId", "weight", "delay", "synapse"]))
@example(value="1" * 5000, where="preCellId")
@example(value="1e999", where="weight")
def test_any_value_of_a_connection(value: str, where: str, tmp_path: Path) -> None:
    known = {"id": "0", "preCellId": "../s[0]", "postCellId": "../p[1]", "weight": "0.5", "delay": "1ms"} | (
        {where: value} if where != "synapse" else {}
    )
    text = projection("<connectionWD " + " ".join(f'{k}="{v}"' for k, v in known.items()) + "/>")
    if where == "synapse":
        text = text.replace('synapse="syn"', f'synapse="{value}"')
    (tmp_path / "bad.nml").write_text(net(text))
    read_or_refused(tmp_path / "bad.nml")


ATOM = st.sampled_from(["v", "tau", "t", "0", "1", "2.5", "1e300", "-3", "q", "pi"])
EXPRESSION = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "^", " .gt. ", " .and. ", ""]), inner).map(
            "".join
        ),
        inner.map(lambda e: f"({e})"),
        st.tuples(
            st.sampled_from(["exp", "ln", "sqrt", "abs", "random", "H", "sin", "nix", "floor"]), inner
        ).map(lambda p: f"{p[0]}({p[1]})"),
        inner.map(lambda e: f"({e}"),
    ),
    max_leaves=12,
)


@DRAWN
@given(
    expression=EXPRESSION | XML_TEXT,
    place=st.sampled_from(["derivative", "condition", "assignment", "derived", "parameter"]),
)
@example(expression="(" * 3000 + "v" + ")" * 3000, place="derived")
@example(expression="+".join(["v"] * 5000), place="derived")
@example(expression="2^2^2^2^2^2^2^2", place="parameter")
def test_any_expression(expression: str, place: str, tmp_path: Path) -> None:
    dynamics = {
        "derivative": f'{V}<TimeDerivative variable="v" value="{expression}"/>',
        "condition": f'{V}<TimeDerivative variable="v" value="-v/tau"/><OnCondition '
        f'test="{expression}"><EventOut port="spike"/></OnCondition>',
        "assignment": f'{V}<TimeDerivative variable="v" value="-v/tau"/><OnCondition test="v .gt. 0 * '
        f'v"><StateAssignment variable="v" value="{expression}"/></OnCondition>',
        "derived": f'{V}<DerivedVariable name="x" dimension="voltage" value="{expression}"/><TimeDerivative '
        'variable="v" value="-x/tau"/>',
        "parameter": f'{V}<TimeDerivative variable="v" value="-v*y/tau"/>',
    }[place]
    more = '<Parameter name="tau" dimension="time"/>' + (
        f'<DerivedParameter name="y" dimension="none" value="{expression}"/>' if place == "parameter" else ""
    )
    (tmp_path / "bad.nml").write_text(own(dynamics, more, '<mine id="m" tau="1ms"/>'))
    read_or_refused(tmp_path / "bad.nml")


@DRAWN
@given(data=st.binary(max_size=300))
def test_any_bytes(data: bytes, tmp_path: Path) -> None:
    for name in ("bad.nml", "bad.xml", "bad.nml.h5"):
        (tmp_path / name).write_bytes(data)
        assert not read_or_refused(tmp_path / name)


@pytest.fixture(scope="module")
def hdf5(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A network of a few cells and connections, by our writer."""
    pytest.importorskip("h5py")
    source, cells = pt.Population("s", 2, pt.SpikeSourceArray([5.0])), pt.Population("p", 3, pt.IF_cond_exp())
    network = pt.Network(
        "n",
        [source, cells],
        [pt.Projection(source, cells, pt.AllToAll(), pt.StaticSynapse("2 nS", "1 ms"), name="e")],
    )
    folder = tmp_path_factory.mktemp("hdf5")
    written = pt.write_neuroml(network, folder, types="core", hdf5_above=0, keep=False)
    return next(folder / f for f in written.files if f.endswith(".h5")).read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_broken_hdf5(seed: int, hdf5: bytes, tmp_path: Path) -> None:
    rng, path = random.Random(seed), tmp_path / "bad.net.nml.h5"
    path.write_bytes(hdf5)
    assert read_or_refused(path), "whole, it is read"
    for _ in range(60):
        data = bytearray(hdf5)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data if rng.random() < 0.8 else data[: rng.randrange(len(data))])
        read_or_refused(path)
