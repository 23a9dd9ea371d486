"""`portable backends` and `portable check`: what is installed, what each can do, what a model needs that one
cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from portable.backends import registry
from portable.backends.contract import INTEGRATORS
from portable.backends.features import FEATURES
from portable.cli import text
from portable.cli.model import Model
from portable.simulation import check as shortfalls


def backends(*, as_json: bool) -> int:
    """Versions and the capability matrix."""
    found, broken = {}, {}
    for name in registry.names():
        try:
            found[name] = registry.get(name)
        except Exception as error:  # someone else's adapter must not hide the others
            broken[name] = f"{type(error).__name__}: {error}"
    if as_json:
        listed = {
            n: {
                "installed": b.version() is not None,
                "simulator": b.version(),
                "install": b.capabilities.install,
                "support": {f: s.word for f, s in b.capabilities.support.items()},
                "conditions": {f: str(s) for f, s in b.capabilities.support.items() if str(s) != s.word},
                "integrators": {m: s.word for m, s in b.capabilities.integrators.items()},
                "options": {o: x.about for o, x in b.capabilities.options.items()},
                "fidelity": b.capabilities.fidelity,
            }
            for n, b in found.items()
        }
        text.as_json({"version": 1, "backends": listed, "broken": broken, "features": dict(FEATURES)})
        return 0
    rows = [
        (n, "yes" if b.version() else "no", b.version() or "-", "" if b.version() else b.capabilities.install)
        for n, b in found.items()
    ]
    text.table(("backend", "installed", "version", "to install"), rows)
    for name, reason in broken.items():
        text.say(f"{name} cannot be loaded: {reason}")
    matrix = [
        (what, *(str(b.capabilities.support.get(f, "-")) for b in found.values()))
        for f, what in FEATURES.items()
    ]
    matrix += [
        (f"integrator {m}", *(str(b.capabilities.integrators.get(m, "-")) for b in found.values()))
        for m in INTEGRATORS
        if m != "auto"
    ]
    text.table(
        ("", *found), matrix, "exact, lowered (another way, the same result), approximate, or - (not there)"
    )
    options = [(n, o, x.about) for n, b in found.items() for o, x in b.capabilities.options.items()]
    if options:
        text.table(("backend", "option", ""), options, "options: portable run MODEL --option NAME=VALUE")
    return 0


def check(model: Model, options: Mapping[str, Any], *, backend: str, as_json: bool, **how: Any) -> int:
    """0 if the backend can run the model, 1 if not (all reasons are told)."""
    network = model.build(options, {**how, "backend": backend})
    missing = shortfalls(network, backend, **how)
    if as_json:
        text.as_json(
            {
                "version": 1,
                "network": network.name,
                "backend": backend,
                "can_run": not missing,
                "shortfalls": [asdict(s) for s in missing],
            }
        )
    elif missing:
        text.heading(f"{backend} cannot run {network.name}:", "red")
        for s in missing:
            text.say(f"  - {s}")
    else:
        absent = registry.get(backend).version() is None
        note = f" (not installed: {registry.get(backend).capabilities.install})" if absent else ""
        text.heading(f"{backend} can run {network.name}{note}", "green")
    return 1 if missing else 0
