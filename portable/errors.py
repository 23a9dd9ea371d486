"""Every error of `portable`.

    PortableError
    ├─ ModelError(ValueError)                 the description is wrong on every backend
    ├─ UnsupportedError(NotImplementedError)  a good model that this backend cannot run; lists every shortfall
    ├─ BackendNotFound(LookupError)           no backend of that name
    ├─ BackendUnavailable(ImportError)        the adapter is here, its simulator is not
    └─ BackendFailed(RuntimeError)            the simulator raised in the middle; chained to its own error

A message names the object by its path in the model, the rule, the value and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PortableError(Exception):
    """Base of every error raised on purpose by `portable`."""


class ModelError(PortableError, ValueError):
    """The model is wrong, whatever runs it.

    `path` names the object in the model ("populations[2].cell.tau_m"), `rule` what must hold and what was
    found, `remedy` what to do about it.
    """

    def __init__(self, path: str, rule: str, remedy: str = "") -> None:
        self.path, self.rule, self.remedy = path, rule, remedy
        text = f"{path}: {rule}" if path else rule
        super().__init__(f"{text}; {remedy}" if remedy else text)

    def under(self, prefix: str) -> ModelError:
        """The same error seen from the object that contains this one."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return type(self)(f"{prefix}{joint}{self.path}", self.rule, self.remedy)


class UnsupportedError(PortableError, NotImplementedError):
    """A good model that this backend cannot run; `shortfalls` holds every reason, one line each."""

    def __init__(self, backend: str, shortfalls: Iterable[object]) -> None:
        self.backend, self.shortfalls = backend, tuple(shortfalls)
        lines = "\n".join(f"  - {s}" for s in self.shortfalls)
        super().__init__(f"backend '{backend}' cannot run this model:\n{lines}")


class BackendNotFound(PortableError, LookupError):  # noqa: N818
    """No backend of that name is registered."""


class BackendUnavailable(PortableError, ImportError):  # noqa: N818
    """The adapter is here but the simulator is not installed; the message has the install line."""


class BackendFailed(PortableError, RuntimeError):  # noqa: N818
    """The simulator raised while it was building or running the network."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """ "did you mean 'x'?" where something is close, else the list of what there is."""
    names = sorted(known)
    close = (
        difflib.get_close_matches(name, names[:5000], n=1, cutoff=0.6) if len(name) < 200 else []
    )  # the search takes the product of both
    if close:
        return f"did you mean '{close[0]}'?"
    if len(names) > 24:
        return f"known are {len(names)}, such as {', '.join(names[:: len(names) // 8][:8])}"
    return f"known: {', '.join(n[:60] for n in names)}" if names else "there are none"
