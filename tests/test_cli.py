"""The command line: what it prints, its exit codes, its files. Runs on the reference backend; no simulator is
needed.
"""

import json
import os
import subprocess
import sys
import textwrap

import neo
import pytest

import portable as pt
from portable.backends import registry
from portable.backends.reference.execute import ReferenceSession
from portable.cli import main
from portable.cli.app import prepared
from portable.results.storage import load_results

MODEL = '''
"""A small network for tests."""

from typing import Literal

import portable as pt

run_defaults = {"backend": "reference", "duration": "30 ms", "seed": 5}


def network(cells: int = 8, drive: Literal["dc", "none"] = "dc", record_v: bool = False, gain: float = 1.0, tau: float | str = "20 ms") -> pt.Network:
    """Cells with a current.

    cells: how many cells
        there are.
    drive: a current, or none.
    gain: of the current.
    """
    cell = pt.IF_curr_exp(i_offset=1.0 * gain if drive == "dc" else 0.0, tau_m=tau)
    exc = pt.Population("exc", cells, cell, initial={"v": pt.Uniform(-65, -55)})
    recordings = [pt.Record(exc, "spikes")] + ([pt.Record(exc[:2], "v", interval=1.0)] if record_v else [])
    return pt.Network("small", [exc], [pt.Projection(exc, exc, pt.FixedInDegree(2), pt.StaticSynapse(0.1, 1.0))], recordings=recordings)
'''  # noqa: E501


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(MODEL)
    return str(path)


def write(tmp_path, text, name="other.py"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return str(path)


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_teaches(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for part in (
        "portable run examples/microcircuit.py",
        "portable compare",
        "Exit codes: 0 done, identical",
        "backends",
    ):
        assert part in out
    for command in ("run", "compare", "show", "check", "backends"):
        assert run(capsys, command, "--help")[0] == 0


def test_version(capsys):
    assert run(capsys, "--version")[1].strip() == f"portable {pt.__version__}"


def test_help_of_a_model_has_its_options_types_and_text(capsys, model):
    code, out, _ = run(capsys, "run", model, "--help")
    assert code == 0
    flat = " ".join(out.split())
    assert "Cells with a current." in flat
    assert "how many cells there are." in flat
    assert "dc" in flat and "none" in flat  # noqa: PT018
    for option in ("--cells", "--drive", "--record-v", "--no-record-v", "--gain", "--tau"):
        assert option in flat
    assert "[default: 30 ms]" in flat  # from run_defaults
    assert "gain: of the current" not in flat  # it is the option's text, not the model's


def test_run_reports_and_saves(capsys, model, tmp_path):
    out_files = [tmp_path / f"r{suffix}" for suffix in (".npz", ".json", ".pkl")]
    picture = tmp_path / "p.png"
    code, out, err = run(
        capsys,
        "run",
        model,
        "--cells",
        6,
        "--record-v",
        "--plot",
        picture,
        *(x for f in out_files for x in ("--out", f)),
    )
    assert code == 0, err
    assert "small on reference: 30 ms at dt 0.1 ms, seed 5" in out
    assert "exact (exc)" in out
    assert "trace exc.v: 31 samples of 2 cells in mV" in out
    for part in ("real-time factor", "12 synapses", "peak memory", "resolve"):
        assert part in out
    results = load_results(out_files[0])
    assert results.sizes == {"exc": 6}
    assert results.provenance["seed"] == 5
    row = out.splitlines()[2].split()
    assert row[:4] == ["exc", "6", "6", str(len(results.spikes["exc"]))]
    summary = json.loads(out_files[1].read_text())
    assert summary["populations"][0]["spikes"] == len(results.spikes["exc"]) > 0
    assert len(neo.io.PickleIO(str(out_files[2])).read_block().segments[0].spiketrains) == 6
    assert picture.stat().st_size > 5000


def test_the_results_are_those_of_the_api(capsys, model, tmp_path):
    code, _, err = run(capsys, "run", model, "--seed", 9, "--duration", "20 ms", "--out", tmp_path / "r.npz")
    assert code == 0, err
    sys.path.insert(0, str(tmp_path))
    from small import network

    direct = pt.run(network(), "reference", "20 ms", seed=9)
    assert (
        load_results(tmp_path / "r.npz").spikes["exc"].steps.tolist() == direct.spikes["exc"].steps.tolist()
    )


def test_model_options_reach_the_function(capsys, model):
    code, out, err = run(
        capsys, "run", model, "--cells", 3, "--drive", "none", "--gain", 2.5, "--tau", 10, "--json"
    )
    assert code == 0, err
    data = json.loads(out)
    assert data["sizes"] == {"exc": 3}
    assert data["populations"][0]["spikes"] == 0
    assert data["populations"][0]["cv"] is None  # nan is no JSON
    assert data["model_options"] == {"cells": 3, "drive": "none", "record_v": False, "gain": 2.5, "tau": "10"}
    assert (
        json.loads(run(capsys, "show", model, "--tau", "30 ms", "--json")[1])["populations"][0]["parameters"][
            "tau_m"
        ]
        == "30 ms"
    )


def test_options_may_stand_before_the_model(capsys, model):
    code, out, err = run(capsys, "run", "--duration", "10 ms", "--json", model, "--cells", 2)
    assert code == 0, err
    assert json.loads(out)["duration"] == 10.0


def test_a_parameter_that_the_run_has_too_gets_the_runs_value(capsys, tmp_path):
    path = write(
        tmp_path,
        """
        import portable as pt
        def network(dt="0.1 ms", seed=0):
            return pt.Network(f"dt {dt} seed {seed}", [pt.Population("a", 1, pt.IF_curr_exp(tau_refrac="0.2 ms"))], recordings=[])
    """,  # noqa: E501
    )
    assert (
        json.loads(
            run(capsys, "run", path, "-b", "reference", "--dt", "0.2 ms", "-s", 4, "-t", 2, "--json")[1]
        )["network"]
        == "dt 0.2 ms seed 4"
    )


def test_a_network_object_and_documents(capsys, tmp_path):
    path = write(tmp_path, """
        import portable as pt
        exc = pt.Population("exc", 4, pt.IF_curr_exp(i_offset=1.0))
        network = pt.Network("plain", [exc], recordings=[pt.Record(exc)])
    """)  # fmt: skip
    code, out, err = run(capsys, "run", path, "-b", "reference", "-t", "30 ms", "--json")
    assert code == 0, err
    want = json.loads(out)["populations"][0]["spikes"]
    assert want > 0
    exc = pt.Population("exc", 4, pt.IF_curr_exp(i_offset=1.0))
    for name in ("net.json", "net.yaml"):
        pt.save(pt.Network("plain", [exc], recordings=[pt.Record(exc)]), tmp_path / name)
        code, out, err = run(capsys, "run", tmp_path / name, "-b", "reference", "-t", "30 ms", "--json")
        assert code == 0, err
        assert json.loads(out)["populations"][0]["spikes"] == want


def test_compare_identical_and_different(capsys, model, monkeypatch):
    from test_compare import Other

    get = registry.get
    others = {n: Other(n) for n in ("same", "late", "absent")}
    monkeypatch.setattr(registry, "get", lambda name: others.get(name) or get(name))
    code, out, err = run(
        capsys, "compare", model, "--backends", "reference,same", "--seed", "1,2", "--seed", 3
    )
    assert code == 0, err
    assert out.rstrip().endswith("verdict: identical")
    assert sum("reference, same" in line for line in out.splitlines()) == 3
    code, out, _ = run(capsys, "compare", model, "--backends", "reference,late")
    assert code == 1
    assert "verdict: different" in out
    assert "first difference" in out
    code, out, _ = run(capsys, "compare", model, "--backends", "reference,late", "--json")
    assert code == 1
    data = json.loads(out)
    assert (data["verdict"], data["pairs"][0]["within_one_step"], data["pairs"][0]["equal"]) == (
        "different",
        1.0,
        0.0,
    )
    code, out, _ = run(capsys, "compare", model, "--backends", "reference,same,absent")
    assert code == 2
    assert "absent could not run" in out
    code, _, err = run(capsys, "compare", model, "--backends", "reference,none")
    assert code == 2
    assert "no backend 'none'" in err


def test_backends(capsys):
    code, out, _ = run(capsys, "backends")
    assert code == 0
    assert "reference" in out
    assert "cells whose equations are linear" in out
    data = json.loads(run(capsys, "backends", "--json")[1])
    assert data["backends"]["reference"]["installed"] is True
    assert set(data["backends"]["reference"]["support"].values()) <= {"exact", "lowered", "approximate"}


def test_a_missing_simulator_shows_its_install_line(capsys, monkeypatch):
    get = registry.get

    class Missing:
        capabilities = get("reference").capabilities

        def version(self):
            return None

    monkeypatch.setattr(registry, "get", lambda name: Missing() if name == "nest" else get(name))
    out = run(capsys, "backends")[1]
    assert next(line for line in out.splitlines() if line.startswith("nest")).split()[1] == "no"


def test_show(capsys, model, tmp_path):
    code, out, err = run(capsys, "show", model, "--cells", 5, "--plot", tmp_path / "n.png")
    assert code == 0, err
    for part in (
        "small",
        "IF_curr_exp",
        "FixedInDegree(n=2)",
        "tau_m = 20 ms",
        "v = uniform -65 mV to -55 mV",
        "5 cells, 10 synapses",
        "memory (estimated)",
    ):
        assert part in out
    assert (tmp_path / "n.png").stat().st_size > 3000
    data = json.loads(run(capsys, "show", model, "--json")[1])
    assert (data["neurons"], data["synapses"]) == (8, 16)
    assert data["memory"]["program_bytes"] > 0


def test_check(capsys, model, monkeypatch):
    assert run(capsys, "check", model, "--backend", "reference")[0] == 0
    from test_compare import Other

    get = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Other("lacks") if name == "lacks" else get(name))
    code, out, _ = run(capsys, "check", model, "--backend", "lacks")
    assert code == 1
    assert "population 'exc': has no cells [cells.linear]" in out
    code, out, _ = run(capsys, "check", model, "--backend", "lacks", "--json")
    assert code == 1
    assert json.loads(out)["shortfalls"][0]["feature"] == "cells.linear"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import portable as pt\n\nx = 1 / 0\n", ["line 3", "ZeroDivisionError", "x = 1 / 0"]),
        ("def network(:\n", ["line 1", "def network(:"]),
        (
            "import portable as pt\ndef network():\n    return pt.Population('a', -1, pt.IF_curr_exp())\n",
            ["line 3", "in network", "size"],
        ),
        ("import portable as pt\np = pt.IF_curr_exp(tau_m='-1 ms')\n", ["line 2", "tau_m", "must be > 0"]),
        ("net = 3\n", ["defines no `network`"]),
        ("network = 3\n", ["must be a pt.Network", "3"]),
        ("def network():\n    return 3\n", ["must be a pt.Network", "3"]),
        (
            "run_defaults = {'sed': 3}\ndef network():\n    return 3\n",
            ["run_defaults['sed']", "did you mean 'seed'?"],
        ),
        ("def network(plot=1):\n    return 3\n", ["'plot'", "rename it"]),
        ("import sys\nsys.exit('gone')\n", ["line 2", "gone"]),
    ],
)
def test_errors_in_the_users_file_have_its_line(capsys, tmp_path, text, said):
    path = tmp_path / "bad.py"
    path.write_text(text)
    code, out, err = run(capsys, "run", path)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith("error: ")
    for part in said:
        assert part in err
    if "line" in said[0]:
        assert "bad.py" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nothing.py"], "no such file"),
        (["run", "nothing.txt"], "is no model"),
        (["run", "MODEL", "--backend", "nst"], "no backend 'nst'; did you mean"),
        (["run", "MODEL", "--duration", "5 mV"], "duration: must be a time"),
        (["run", "MODEL", "--duration", "-5 ms"], "0 or more"),
        (["run", "MODEL", "--dt", "0"], "dt: must be > 0"),
        (["run", "MODEL", "--out", "x.csv"], "cannot write 'x.csv'"),
        (["run", "MODEL", "--out", "no/where.npz"], "no folder"),
        (["run", "MODEL", "--option", "x"], "NAME=VALUE"),
        (["run", "MODEL", "--option", "x=1"], "options['x']"),
        (["run", "MODEL", "--integrator", "rk5"], "unknown integrator"),
        (["run", "MODEL", "--drive", "ac"], "ac"),
        (["run", "MODEL", "--cels", "3"], "--cels"),
        (["run", "MODEL", "--cells", "many"], "'--cells'"),
        (["run"], ""),
        (["rn"], "rn"),
        (["compare", "MODEL", "--seed", "one"], "whole numbers"),
        (["compare", "MODEL", "--backends", "reference"], "two or more"),
    ],
)
def test_wrong_use_is_one_message_and_exit_code_2(capsys, model, arguments, said):
    code, out, err = run(capsys, *(model if a == "MODEL" else a for a in arguments))
    assert code == 2
    assert said in " ".join((out + err).split())
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capsys, tmp_path):
    path = write(tmp_path, "x = 1 / 0\n")
    assert "Traceback" in run(capsys, "run", path, "--debug")[2]


def test_a_failing_simulator_is_one_message(capsys, model, monkeypatch):
    monkeypatch.setattr(ReferenceSession, "run", lambda *_: 1 / 0)
    code, _, err = run(capsys, "run", model)
    assert code == 2
    assert "backend 'reference' failed: ZeroDivisionError" in err
    assert "Traceback" not in err


def test_a_defect_of_ours_is_never_exit_code_1(capsys, model, monkeypatch):
    """1 means "different" to a script, so a crash must not give it."""
    import portable.cli.compare

    monkeypatch.setattr(portable.cli.compare, "compare_backends", lambda *_, **__: 1 / 0)
    code, _, err = run(capsys, "compare", model)
    assert code == 2
    assert "please report" in err


def test_brackets_in_a_models_text_are_kept(capsys, tmp_path, monkeypatch):
    """rich would take "[nA]" for markup and leave it out of the help on a terminal."""
    path = write(tmp_path, """
        def network(gain: float = 1.0):
            \"\"\"A current [nA].

            gain: of it [nA].
            \"\"\"
    """)  # fmt: skip
    monkeypatch.setattr("portable.cli.text.on_terminal", lambda: True)
    assert run(capsys, "run", path, "--help")[1].count("[nA]") == 2


def test_a_closed_pipe_is_no_error(model):
    code = f"import sys; from portable.cli import main; sys.exit(main(['show', {model!r}]))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()


def test_control_c_keeps_what_was_recorded(capsys, model, monkeypatch, tmp_path):
    """The third piece is interrupted: the first two are shown and saved, with the fact in the provenance."""
    whole, calls = ReferenceSession.run, []

    def interrupted(self, steps):
        calls.append(steps)
        if len(calls) == 3:
            raise KeyboardInterrupt
        whole(self, steps)

    monkeypatch.setattr(ReferenceSession, "run", interrupted)
    code, out, err = run(
        capsys,
        "run",
        model,
        "--duration",
        "100 s",
        "--out",
        tmp_path / "part.npz",
        "--plot",
        tmp_path / "part.png",
    )
    assert code == 130
    assert "interrupted" in err
    results = load_results(tmp_path / "part.npz")
    assert results.provenance["interrupted"] is True
    assert results.steps == sum(calls[:2])
    assert f"interrupted: this is what was recorded up to {results.duration:g} ms" in out
    assert (tmp_path / "part.png").exists()


def test_a_piece_that_was_interrupted_counts_as_far_as_it_got(capsys, model, monkeypatch, tmp_path):
    """Otherwise there would be spikes after the end, and too high a rate."""
    whole, calls = ReferenceSession.run, []

    def interrupted(self, steps):
        calls.append(steps)
        whole(self, steps if len(calls) < 3 else 7)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(ReferenceSession, "run", interrupted)
    assert run(capsys, "run", model, "--duration", "100 s", "--out", tmp_path / "part.npz")[0] == 130
    results = load_results(tmp_path / "part.npz")
    assert results.steps == sum(calls[:2]) + 7
    assert results.spikes["exc"].steps.max() <= results.steps


def test_plot_without_a_file_takes_the_models_name(capsys, model, tmp_path, monkeypatch):
    assert prepared(["run", "m.py", "--plot"])[-1] == "auto"
    assert prepared(["run", "--plot", "m.py"]) == ["run", "--plot", "auto", "m.py"]
    assert prepared(["run", "m.py", "--plot", "x.png"])[-1] == "x.png"
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "run", model, "--plot")[0] == 0
    assert (tmp_path / "small_reference.png").exists()


def shell(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    code = f"import sys; from portable.cli import main; sys.exit(main({[str(a) for a in arguments]!r}))"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        check=False,
    )


def test_a_pipe_gets_plain_text(model):
    done = shell("run", model)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert not set(done.stdout) & set("╭│─━┏")
    assert "small on reference" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_tables_and_no_color_is_respected(model, environment, coloured):
    import pty

    ours, theirs = pty.openpty()
    code = f"import sys; from portable.cli import main; sys.exit(main(['run', {model!r}]))"
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI")} | {
        "TERM": "xterm-256color",
        "COLUMNS": "120",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=theirs, stderr=theirs, env={**clean, **environment}
    )
    os.close(theirs)
    out = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end has closed
            break
        if not piece:
            break
        out += piece
    assert process.wait() == 0
    text = out.decode()
    assert "─" in text  # rich's table
    assert ("\x1b[1;36m" in text) == coloured  # the heading is bold cyan


def test_help_imports_nothing_heavy(model):
    """Help must come at once: no simulator, no numba, no pictures; how long it takes is not a test's
    matter.
    """
    code = (
        "import sys; from portable.cli import main\n"
        f"main(['run', {model!r}, '--help'])\n"
        "print('LOADED', sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'scipy', 'matplotlib', "
        "'nest', 'brian2', 'neo', 'quantities'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout


def test_every_command_says_what_it_is_and_can_be_done():
    """One file each; what it does is imported when it is called, so a wrong name would show only then."""
    from importlib import import_module
    from inspect import signature

    from portable.cli.commands import COMMANDS

    for name, command in COMMANDS.items():
        assert command.summary.endswith("."), name
        module, _, function = command.does.partition(":")
        takes = signature(getattr(import_module(module), function)).parameters
        given = {p.name for p in (*command.arguments(), *command.parameters({}))} - {"debug"}
        given |= {"model", "options"} if command.takes_model else set()
        anything = any(p.kind is p.VAR_KEYWORD for p in takes.values())
        assert given <= set(takes) or anything, (name, given - set(takes))
        assert {n for n, p in takes.items() if p.default is p.empty and p.kind is p.KEYWORD_ONLY} <= given
