"""Tableaux against the order conditions (Butcher's rooted trees), and what is chosen for whom."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement

import pytest

import portable as pt
from portable.dynamics.ctext import statements
from portable.dynamics.methods import EULER, FEHLBERG, RK4, Row, Tableau, choose, own_rates

Tree = tuple["Tree", ...]


def trees(order: int) -> list[Tree]:
    """Rooted trees of so many nodes: a tree is the multiset of its root's branches."""
    if order == 1:
        return [()]
    found: set[Tree] = set()
    for parts in _partitions(order - 1, order - 1):
        choices: list[tuple[Tree, ...]] = [()]
        for size in sorted(set(parts)):
            same = list(combinations_with_replacement(sorted(trees(size)), parts.count(size)))
            choices = [(*c, *s) for c in choices for s in same]
        found |= {tuple(sorted(c)) for c in choices}
    return sorted(found)


def _partitions(n: int, largest: int) -> list[tuple[int, ...]]:
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, largest), 0, -1) for rest in _partitions(n - k, k)]


def size(tree: Tree) -> int:
    return 1 + sum(map(size, tree))


def density(tree: Tree) -> int:
    out = size(tree)
    for branch in tree:
        out *= density(branch)
    return out


def stage(tree: Tree, t: Tableau, i: int) -> Fraction:
    out = Fraction(1)
    for branch in tree:
        out *= sum((a * stage(branch, t, j) for j, a in enumerate(t.rows[i])), Fraction(0))
    return out


def order(t: Tableau, weights: Row) -> int:
    """The largest p with every condition of trees of up to p nodes met."""
    p = 0
    while all(
        sum((b * stage(tree, t, i) for i, b in enumerate(weights)), Fraction(0)) == Fraction(1, density(tree))
        for tree in trees(p + 1)
    ):
        p += 1
    return p


def test_orders() -> None:
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]  # known numbers of rooted trees
    assert order(EULER, EULER.weights) == 1
    assert order(RK4, RK4.weights) == choose(pt.IF_cond_exp().flat).order == 4
    assert (order(FEHLBERG, FEHLBERG.weights), order(FEHLBERG, FEHLBERG.embedded)) == (5, 4)
    assert sum(FEHLBERG.error) == 0


def test_a_tableau_checks_itself() -> None:
    half = Fraction(1, 2)
    with pytest.raises(ValueError, match="sum to 1/2, not 1 that sum to 1"):
        Tableau((Fraction(0), Fraction(1)), ((), (half,)), (half, half))
    with pytest.raises(ValueError, match="sum to 1/2"):
        Tableau((Fraction(0),), ((),), (half,))


def test_what_is_chosen() -> None:
    exponential = "(abs 1e-06, rel 1e-06 of h*dy/dt, spikes within the step)"
    assert choose(pt.IF_curr_exp().flat).described == "exact"
    assert choose(pt.IF_cond_exp().flat).described == "rk4"
    assert choose(pt.IF_cond_exp().flat, "rkf45").described == "rkf45 (abs 0.001)"
    assert choose(pt.EIF_cond_exp_isfa_ista().flat).described == f"rkf45 {exponential}"
    assert choose(pt.HH_cond_exp().flat, "exponential_euler").described == "exponential_euler"
    adex = choose(pt.EIF_cond_exp_isfa_ista().flat, "exponential_euler").described
    assert adex == "exponential_euler (forward Euler: v)"
    assert set(own_rates(pt.HH_cond_exp().flat)) >= {"v", "m", "h", "n"}


def test_the_same_statements_in_c() -> None:
    source = "x = 1.0\nwhile x < a:\n    if x > 2.0 and not b: break\n    x = max(x, y ** 2.0) if c else -x\n"
    body, assigned = statements(source)
    assert assigned == ("x",)
    assert "while ((x < a)) {" in body
    assert "x = (c ? (pow(y, 2.0) > x ? pow(y, 2.0) : x) : (-x));" in body
    with pytest.raises(ValueError, match="no such statement: import os"):
        statements("import os")
    with pytest.raises(ValueError, match="no such expression"):
        statements("x = __import__('os').system('x')")
