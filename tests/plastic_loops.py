"""The library's rules of plasticity once more, each as a plain loop over the events of one connection.

An event is (h, post, pre): ms since the one before, and whether the target's and the source's spikes are seen
then. Each gives the weight at the end; TsodyksMarkram what each spike sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import Any

Events = Sequence[tuple[float, bool, bool]]


def seen(
    pre: Sequence[int], post: Sequence[int], axonal: int, dendritic: int, until: int, dt: float
) -> Iterator[tuple[float, bool, bool]]:
    """The events of a connection up to a step, in the order of its clock, from trains in steps."""
    a, b = {t + axonal for t in pre}, {s + dendritic for s in post}
    last = 0
    for t in sorted(a | b):
        if t <= until:
            yield (t - last) * dt, t in b, t in a
            last = t


def _up(w: float, p: Any, x: float) -> float:
    width = p["w_max"] - p["w_min"]
    return min(p["w_max"], w + width * p["a_plus"] * ((p["w_max"] - w) / width) ** p["mu_plus"] * x)


def _down(w: float, p: Any, y: float) -> float:
    width = p["w_max"] - p["w_min"]
    return max(p["w_min"], w - width * p["a_minus"] * ((w - p["w_min"]) / width) ** p["mu_minus"] * y)


def pair(w: float, events: Events, p: Any, nearest: bool = False) -> float:
    """Song 2000, Guetig 2003; Morrison 2008 fig. 7A where only the nearest spikes count."""
    x = y = 0.0
    for h, post, pre in events:
        x, y = x * exp(-h / p["tau_plus"]), y * exp(-h / p["tau_minus"])
        if post:
            w = _up(w, p, x)
        if pre:
            w = _down(w, p, y)
        x = (1.0 if nearest else x + 1.0) if pre else x
        y = (1.0 if nearest else y + 1.0) if post else y
    return w


def nearest(w: float, events: Events, p: Any) -> float:
    return pair(w, events, p, nearest=True)


def centered(w: float, events: Events, p: Any) -> float:
    """Morrison 2008, fig. 7B: a spike of the target uses up those of the source before it."""
    x = y = 0.0
    for h, post, pre in events:
        x, y = x * exp(-h / p["tau_plus"]), y * exp(-h / p["tau_minus"])
        if post:
            w, x = _up(w, p, x), 0.0
        if pre:
            w = _down(w, p, y)
        x += pre
        y = 1.0 if post else y
    return w


def restricted(w: float, events: Events, p: Any) -> float:
    """Morrison 2008, fig. 7C: by the ages of the last spikes, and whether they have been used."""
    since_pre = since_post = float("inf")
    fresh_pre = fresh_post = False
    for h, post, pre in events:
        since_pre, since_post = since_pre + h, since_post + h
        if post:
            if fresh_pre:
                w = _up(w, p, exp(-since_pre / p["tau_plus"]))
            fresh_pre, fresh_post = False, True
        if pre:
            if fresh_post and since_post < float("inf"):
                w = _down(w, p, exp(-since_post / p["tau_minus"]))
            fresh_post, fresh_pre = False, True
        since_pre, since_post = 0.0 if pre else since_pre, 0.0 if post else since_post
    return w


def power(w: float, events: Events, p: Any) -> float:
    """Morrison 2007."""
    x = y = 0.0
    for h, post, pre in events:
        x, y = x * exp(-h / p["tau_plus"]), y * exp(-h / p["tau_minus"])
        if post:
            w += p["a"] * p["w_ref"] ** (1 - p["mu"]) * w ** p["mu"] * x
        if pre:
            w = max(0.0, w - p["a"] * p["alpha"] * w * y)
        x, y = x + pre, y + post
    return w


def triplet(w: float, events: Events, p: Any) -> float:
    """Pfister & Gerstner 2006, from the lists of all spikes before."""
    pres, posts, now = list[float](), list[float](), 0.0
    for h, post, pre in events:
        now += h
        r1, r2 = (sum(exp((t - now) / p[k]) for t in pres) for k in ("tau_plus", "tau_x"))
        o1, o2 = (sum(exp((t - now) / p[k]) for t in posts) for k in ("tau_minus", "tau_y"))
        if post:
            w = min(p["w_max"], w + p["w_max"] * r1 * (p["a2_plus"] + p["a3_plus"] * o2))
        if pre:
            w = max(0.0, w - p["w_max"] * o1 * (p["a2_minus"] + p["a3_minus"] * r2))
        pres += [now] * pre
        posts += [now] * post
    return w


def vogels(w: float, events: Events, p: Any) -> float:
    """Vogels et al. 2011; rho0 in 1/ms."""
    x = y = 0.0
    for h, post, pre in events:
        x, y = x * exp(-h / p["tau"]), y * exp(-h / p["tau"])
        step = p["eta"] * p["w_max"]
        if post:
            w = min(p["w_max"], w + step * x)
        if pre:
            w = min(p["w_max"], w + step * y)
            w = max(0.0, w - step * 2 * p["rho0"] * p["tau"])
        x, y = x + pre, y + post
    return w


def short_term(w: float, events: Events, p: Any) -> list[float]:
    """Markram, Wang & Tsodyks 1998: the parts that the source's spikes send, times the weight."""
    sent, u, r = [], 0.0, 1.0
    for h, _, pre in events:
        u = u * exp(-h / p["tau_facil"])
        r = 1.0 - (1.0 - r) * exp(-h / p["tau_rec"])
        if pre:
            u += p["U"] * (1.0 - u)
            sent.append(w * u * r)
            r *= 1.0 - u
    return sent


def dopamine(w: float, events: Events, signals: Sequence[float], p: Any, until: float) -> float:
    """Izhikevich 2007: pairs mark c; between events n c moves the weight, in steps of closed form. signals:
    ms at which dopamine is seen, before all else; b in 1/ms.
    """
    times = list[tuple[float, int, bool, bool]]()
    now = 0.0
    for h, post, pre in events:
        now += h
        times.append((now, 1, post, pre))
    times += [(t, 0, False, False) for t in signals if t <= until]
    x = y = c = n = last = 0.0
    for at, kind, post, pre in sorted([*times, (until, 2, False, False)]):
        h, last = at - last, at
        both = 1 / p["tau_c"] + 1 / p["tau_n"]
        w += c * n * (1 - exp(-h * both)) / both - p["b"] * c * p["tau_c"] * (1 - exp(-h / p["tau_c"]))
        assert p["w_min"] < w < p["w_max"], "bounds under a drift have tests of their own"
        x, y = x * exp(-h / p["tau_plus"]), y * exp(-h / p["tau_minus"])
        c, n = c * exp(-h / p["tau_c"]), n * exp(-h / p["tau_n"])
        if kind == 0:
            n += 1 / p["tau_n"]
        if post:
            c += (p["w_max"] - p["w_min"]) * p["a_plus"] * x
        if pre:
            c -= (p["w_max"] - p["w_min"]) * p["a_minus"] * y
        x, y = x + pre, y + post
    return w
