"""A LEMS file run by the packaged jar: what comes back against closed forms, what a failure says, and what is
left behind.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from portable.backends.jneuroml import java
from portable.backends.jneuroml.complaints import complaint
from portable.backends.jneuroml.outputs import declared
from portable.backends.jneuroml.runner import run_lems
from portable.errors import BackendFailed, BackendUnavailable, ModelError

E, RESET, THRESH, TAU, DT = -50e-3, -70e-3, -55e-3, 10e-3, 0.01e-3  # V, s
CELLS = """<neuroml xmlns="http://www.neuroml.org/schema/neuroml2" id="cells">
  <iafTauCell id="iaf" leakReversal="-50mV" thresh="-55mV" reset="-70mV" tau="10ms"/>
  <network id="net"><population id="pop" component="iaf" size="2"/></network>
</neuroml>"""
LEMS = """<Lems>
  <Target component="sim"/>
  <Include file="Cells.xml"/><Include file="Networks.xml"/><Include file="Simulation.xml"/>
  <Include file="cells.nml"/>
  <Simulation id="sim" length="{length}" step="0.01ms" target="net">
    <OutputFile id="v" fileName="{file}"><OutputColumn id="a" quantity="pop[0]/v"/><OutputColumn id="b" quantity="pop[1]/v"/></OutputFile>
    <EventOutputFile id="spikes" fileName="results/s.dat" format="{format}">
      <EventSelection id="7" select="pop[0]" eventPort="spike"/><EventSelection id="3" select="pop[1]" eventPort="spike"/>
    </EventOutputFile>
  </Simulation>
</Lems>"""  # noqa: E501


def missing(engine: str) -> str:
    """Why nothing can be run here; "" if it can."""
    try:
        java.found()
        if engine == "neuron":
            from portable.backends.jneuroml.neuron import compiler_of_mod_files

            compiler_of_mod_files()
    except BackendUnavailable as error:
        return str(error)
    return ""


needs_jar = pytest.mark.skipif(bool(missing("jlems")), reason=missing("jlems"))
needs_neuron = pytest.mark.skipif(bool(missing("neuron")), reason=missing("neuron"))


def write(
    folder: Path,
    text: str = LEMS,
    cells: str = CELLS,
    length: str = "50ms",
    file: str = "results/v.dat",
    format: str = "TIME_ID",
) -> Path:
    (folder / "cells.nml").write_text(cells)
    main = folder / "LEMS_sim.xml"
    main.write_text(text.format(length=length, file=file, format=format))
    return main


@needs_jar
@pytest.mark.parametrize("format", ["TIME_ID", "ID_TIME"])
def test_jlems_takes_forward_euler_steps(tmp_path: Path, format: str) -> None:
    """v = E + (reset - E)(1 - dt/tau)^n between spikes, and as many steps from spike to spike as that takes
    to pass the threshold.
    """
    out = run_lems(write(tmp_path, format=format))
    v = out.traces["v"]
    assert v.values.shape == (5001, 2)
    np.testing.assert_allclose(v.times, DT * np.arange(5001), rtol=1e-6)  # printed as float32
    decay = 1 - DT / TAU
    steps = (
        int(np.floor(np.log((THRESH - E) / (RESET - E)) / np.log(decay))) + 1
    )  # the first n with v > THRESH
    times = out.events["spikes"]["7"]
    assert len(times) == 4
    np.testing.assert_array_equal(np.rint(np.diff(times) / DT), steps)
    start = int(np.argmin(v["a"][:10]))
    n = np.arange(steps - 1)
    np.testing.assert_allclose(
        v["a"][start : start + steps - 1], E + (RESET - E) * decay**n, rtol=3e-7
    )  # printed as float32: 2^-24
    np.testing.assert_array_equal(v["pop[1]/v"], v["a"])
    np.testing.assert_array_equal(out.events["spikes"]["pop[1]"], times)
    assert [c.id for c in out.events["spikes"].declared.columns] == ["7", "3"]
    assert list(np.unique(out.events["spikes"].selections)) == [0, 1]
    assert out.simulation.step == pytest.approx(DT)
    assert out.simulation.length == pytest.approx(0.05)


@needs_neuron
@pytest.mark.slow
def test_neuron_by_export(tmp_path: Path) -> None:
    """The same cell by NEURON: the interval between spikes is tau*ln((E - reset)/(E - thresh)), to two steps
    (the crossing and the reset).
    """
    main = write(tmp_path)
    before = contents(tmp_path)
    out = run_lems(main, "neuron")
    interval = TAU * np.log((E - RESET) / (E - THRESH))
    for cell in ("7", "3"):
        times = out.events["spikes"][cell]
        assert len(times) >= 3
        np.testing.assert_allclose(np.diff(times), interval, atol=2 * DT)
    assert out.traces["v"].values.shape == (5001, 2)
    assert contents(tmp_path) == before
    assert set(out.seconds) == {"export", "compile", "run"}


@needs_neuron
@pytest.mark.slow
def test_neuron_draws_random_numbers(tmp_path: Path) -> None:
    """Exported mod files with random numbers compile. 20 Poisson sources at 50 Hz for 2 s: 2000 spikes,
    standard deviation sqrt(2000).
    """
    cells = CELLS.replace(
        "<iafTauCell", '<spikeGeneratorPoisson id="noise" averageRate="50 Hz"/><iafTauCell'
    ).replace('component="iaf" size="2"', 'component="noise" size="20"')
    lines = "".join(f'<EventSelection id="{i}" select="pop[{i}]" eventPort="spike"/>' for i in range(20))
    start, end = LEMS.index("<OutputFile"), LEMS.index("<EventOutputFile")
    text = (
        LEMS[:start]
        + LEMS[end : LEMS.index("<EventSelection")]
        + lines
        + LEMS[LEMS.index("</EventOutputFile") :]
    )
    main = write(tmp_path, text, cells, length="2s")
    assert len(run_lems(main, "neuron").events["spikes"].times) == pytest.approx(2000, abs=5 * 2000**0.5)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@needs_jar
def test_nothing_is_written_beside_the_model(tmp_path: Path) -> None:
    main = write(tmp_path)
    before = contents(tmp_path)
    run_lems(main)
    assert contents(tmp_path) == before


@needs_jar
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('component="iaf"', 'component="nobody"', "No component found: nobody"),
        ('tau="10ms"', 'tau="10mV"', "Can't set parameter: tau with dimensions"),
        ('tau="10ms"', "", "no value supplied for parameter: tau in Component.id=iaf"),
        ("iafTauCell", "iafTowCell", "No such type iafTowCell"),
        ('tau="10ms"', 'tau="0ms"', "variable v: (NaN|Infinity|-Infinity)"),
    ],
)
def test_a_failure_is_told_in_a_few_lines(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in CELLS
    with pytest.raises(BackendFailed, match=said) as error:
        run_lems(write(tmp_path, cells=CELLS.replace(old, new)))
    text = str(error.value)
    assert len(text.splitlines()) <= 8
    assert "at org." not in text


@needs_jar
def test_time_limit(tmp_path: Path) -> None:
    main = write(tmp_path, length="1000s")
    began = time.monotonic()
    with pytest.raises(BackendFailed, match="time limit"):
        run_lems(main, timeout=2)
    assert time.monotonic() - began < 30  # 1000 s of this model take minutes


@needs_jar
def test_interrupt_ends_java(tmp_path: Path) -> None:
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job has it ignored
    main = write(tmp_path, length="1000s")
    children: list[int] = []

    def interrupt(_done: int, _total: int) -> None:
        children.extend(own_java())
        signal.raise_signal(signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            run_lems(main, progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert children
    assert not own_java()


def own_java() -> list[int]:
    """Children of this thread's process whose program is java."""
    task = Path("/proc/self/task", str(threading.get_native_id()), "children")
    return [
        int(p) for p in task.read_text().split() if Path("/proc", p, "comm").read_text().startswith("java")
    ]


@needs_jar
def test_progress_is_in_steps(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run_lems(write(tmp_path, length="5s"), progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert {total for _, total in seen} == {500_000}
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


@pytest.mark.parametrize(
    "file", ["/tmp/v.dat", "../v.dat", "results/../../v.dat", "v'.dat", "", 'v.dat"); x("']
)
def test_output_files_stay_in_the_folder(tmp_path: Path, file: str) -> None:
    main = write(tmp_path, file=file.replace('"', "&quot;"))
    with pytest.raises(ModelError, match=r"OutputFile 'v'\.fileName: must be a plain relative name"):
        declared(main)


def test_bad_files_are_refused_before_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "found", lambda: ("java", Path("jar")))
    with pytest.raises(ModelError, match="there is no such file"):
        run_lems(tmp_path / "nowhere.xml")
    main = write(tmp_path)
    with pytest.raises(ModelError, match="engine: must be one of jlems, neuron, got 'nest'"):
        run_lems(main, "nest")
    main.write_text(main.read_text()[:200])
    with pytest.raises(ModelError, match=r"LEMS_sim.xml:\d+: not well-formed XML"):
        run_lems(main)


def test_missing_java_and_jar_say_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "launcher", lambda: None)
    with pytest.raises(BackendUnavailable, match="apt install default-jre-headless"):
        java.found()
    monkeypatch.setattr(java, "launcher", lambda: "java")
    monkeypatch.setattr(java, "jar", lambda: None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'portable-snn\[neuroml\]'"):
        java.found()


def test_simulation_in_an_included_file_and_by_type(tmp_path: Path) -> None:
    main = write(tmp_path)
    inner = (
        main.read_text()
        .replace('<Simulation id="sim"', '<Component type="Simulation" id="sim"')
        .replace("</Simulation>", "</Component>")
    )
    (tmp_path / "inner.xml").write_text(
        inner.replace('<Target component="sim"/>', '<Include file="LEMS_outer.xml"/>')
    )
    outer = tmp_path / "LEMS_outer.xml"
    outer.write_text('<Lems><Target component="sim"/><Include file="inner.xml"/></Lems>')  # a cycle, too
    assert declared(outer) == declared(main)
    assert [d.file for d in declared(outer).files] == ["results/v.dat", "results/s.dat"]


def test_the_environment_is_not_told() -> None:
    """jnml prints every variable of the environment when it finds no NEURON."""
    text = (
        "org.neuroml.X: Could not find NEURON home directory! Options tried here: [/a]\n  Environment "
        "variables:\n    TOKEN           = secret\n"
    )
    assert "secret" not in complaint(text)
