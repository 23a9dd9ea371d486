"""What takes long before the first step is said to whoever watches, and to nobody else."""

from __future__ import annotations

import numba
import numpy as np

import portable as pt
from portable.activity import doing, listening
from portable.progress import building


def test_a_listener_hears_what_is_done_meanwhile():
    heard: list[str] = []
    doing("nobody listens")
    with listening(heard.append):
        doing("outer")
        with listening(lambda what: heard.append(f"inner {what}")):
            doing("more")
        doing("outer again")
    doing("nobody listens")
    assert heard == ["outer", "inner more", "outer again"]


def test_compiling_is_said():
    heard: list[str] = []

    @numba.njit
    def twice(x):
        return 2 * x

    with listening(heard.append):
        pt.run(pt.Network("n", [pt.Population("c", 1, pt.IF_curr_exp())]), "native", "1 ms")
        assert twice(np.float64(2)) == 4
    assert heard[:2] == ["drawing the connections", "building"]
    assert "compiling, once on this machine ('twice')" in heard


def test_only_a_bar_has_a_line(capsys):
    for quiet in (None, False, lambda _done, _total: None):
        with building(quiet, "n on native"):
            doing("something")
    assert capsys.readouterr() == ("", "")
    with building(True, "n on native"):
        doing("something")
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "n on native" in seen.err or seen.err == ""  # rich draws where there is a terminal
