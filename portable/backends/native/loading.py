"""What a new process takes before it has done anything: run as a program, it tells the seconds of the first
use of each piece of code that is kept on disk, and its peak memory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import portable.resolve
import portable.results.tables  # noqa: F401
from portable.memory import peak


def main() -> None:
    from portable.model.connectors import AllToAll, FixedTotalNumber
    from portable.resolve import resolve

    def first(work: Callable[[], Any]) -> float:
        """Seconds that the first time takes more than the second."""
        times = []
        for _ in range(2):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        return max(0.0, times[0] - times[1])

    def resolved(network: Any) -> float:
        return first(lambda: resolve(network, 1, 0.1, threads=1))

    load = {"resolve": resolved(_plain(AllToAll()))}
    load["open"] = first(lambda: _probes().opened(resolve(_plain(AllToAll()), 1, 0.1, threads=1)))
    probes = _probes()
    for network in probes.connected(60_000):
        kind = type(network.projections[0].connector).__name__
        if kind not in load:
            load[kind] = resolved(network)
    few = FixedTotalNumber(99), 8, 8
    load["weight"] = resolved(probes.joined(*few, weight="Normal"))
    load["delay"] = resolved(probes.joined(*few, delay="Normal"))
    load["several targets"] = resolved(probes.joined(*few, several=True))
    for name, network in (
        ("stored weight", probes.joined(AllToAll(), 8, 8, weight="Normal")),
        ("ring", probes.ringing(500)),
    ):
        program = resolve(network, 1, 0.1, threads=1)
        load[name] = first(partial(probes.opened, program))
    print(json.dumps({"load": load, "base": peak()}))


def _plain(connector: Any) -> Any:
    """8 cells to 8 cells, as in probes.joined, which would import what the first session is to load."""
    from portable.library.cells import IF_curr_exp
    from portable.model.network import Network, Population, Projection

    pre, post = Population("pre", 8, IF_curr_exp()), Population("post", 8, IF_curr_exp())
    return Network("plain", [pre, post], [Projection(pre, post, connector)])


def _probes() -> Any:
    from portable.backends.native import probes

    return probes


if __name__ == "__main__":
    main()
