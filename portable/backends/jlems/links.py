"""Who hears whose events: links from out ports to in ports, in the order in which jLEMS makes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from portable.backends.jlems.kinds import Kind
from portable.backends.jlems.layout import Group
from portable.errors import ModelError

LAST = np.iinfo(np.int64).max  # rank of recorders: they hear after all others


class Links:
    """Collects links as columns: node and port sent from, rank of making, node and in port (or -1 - recorder)
    that receives, delay in s.
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {
            k: [] for k in ("node", "port", "rank", "sub", "to", "into", "delay")
        }

    def _add(self, node: Any, port: int, rank: Any, sub: int, to: Any, into: int, delay: Any = None) -> None:
        n = len(node)
        row = (
            node,
            np.full(n, port),
            rank,
            np.full(n, sub),
            to,
            np.full(n, into),
            np.zeros(n) if delay is None else delay,
        )
        for k, v in zip(self.columns, row, strict=True):
            self.columns[k].append(v)

    def inside(self, group: Group, rank: Any) -> None:
        """Links that the structure of a component makes inside it, and up to the cell that it is attached
        to.
        """
        for n, port, to, into in group.tree.links:
            self._link(group.nodes + n.number, n.kind, port, group.nodes + to.number, to.kind, into, rank)
        if group.host is not None:
            root = group.host.tree.root
            for n in group.tree.nodes:
                for port, to_instance, into in n.instance.outlets:
                    if to_instance is root.instance:
                        self._link(
                            group.nodes + n.number,
                            n.kind,
                            port,
                            group.host.roots()[group.cells],
                            root.kind,
                            into,
                            rank,
                        )

    def around(self, group: Group, outer: list[tuple[str, Any, str, float]], rank: Any) -> None:
        """Links from the cell to what is attached, made by the structure of the attached."""
        of = {n.instance: n for n in group.tree.nodes}
        assert group.host is not None
        for port, instance, into, delay in outer:
            n = of[instance]
            self._link(
                group.host.roots()[group.cells],
                group.host.tree.root.kind,
                port,
                group.nodes + n.number,
                n.kind,
                into,
                rank,
                delay,
            )

    def _link(
        self,
        node: Any,
        sender: Kind,
        port: str,
        to: Any,
        receiver: Kind,
        into: str,
        rank: Any,
        delay: float = 0.0,
    ) -> None:
        a, b = sender.out_port(port), receiver.in_port(into)
        if a is not None and b is not None:
            self._add(node, a, rank, 1, to, b, np.full(len(node), delay))

    def connect(
        self, source: Group, ids: Any, target: Group, at: Any, port: str, delays: Any, rank: Any, where: str
    ) -> None:
        """Connections of a network: from cells to synapses, or to cells."""
        a, b = source.tree.root.kind.out_port(""), target.tree.root.kind.in_port(port)
        if a is None:
            raise ModelError(
                where,
                f"cells of '{source.name}' ({source.tree.root.kind.type.name}) send no events",
                "connect cells that spike",
            )
        if b is None:
            raise ModelError(
                where, f"a {target.tree.root.kind.type.name} has no in port{f' {port!r}' if port else ''}"
            )
        self._add(source.roots()[ids], a, rank, 0, target.roots()[at], b, delays)

    def input(self, cells: Group, ids: Any, group: Group, rank: Any) -> None:
        a, b = cells.tree.root.kind.out_port(""), group.tree.root.kind.in_port("")
        if a is not None and b is not None:
            self._add(cells.roots()[ids], a, rank, 0, group.roots(), b)

    def record(self, senders: Group, which: Any, port: str, number: int) -> None:
        """Keep the events of a port, "" = the one that spikes leave by; recorder `number` is that of the
        first sender.
        """
        kind = senders.tree.root.kind
        out = kind.out_port(
            port or ("spike" if "spike" in kind.out_ports else next(iter(kind.out_ports), ""))
        )
        if out is None:
            raise ModelError(
                senders.name or senders.tree.id,
                f"a {kind.type.name} has no event port '{port}'",
                f"it has: {', '.join(kind.out_ports) or 'none'}",
            )
        which = np.asarray(which)
        self._add(
            senders.roots()[which], out, np.full(which.size, LAST), 0, -1 - number - np.arange(which.size), 0
        )

    def arrays(self, node_port: Any, kinds: list[Kind], node_kind: Any) -> dict[str, Any]:
        """Tables by out port: those received at once, then those with a delay."""
        c = {
            k: np.concatenate([np.asarray(x) for x in v]) if v else np.zeros(0, dtype=np.int64)
            for k, v in self.columns.items()
        }
        first = np.concatenate([[0], np.cumsum([len(k.in_ports) for k in kinds])]).astype(np.int64)
        port, to = node_port[c["node"]] + c["port"], c["to"].astype(np.int64)
        heard = to >= 0
        code = np.where(heard, np.cumsum(heard) - 1, to)
        in_node = to[heard]
        in_port = first[node_kind[in_node]] + c["into"][heard]
        ordered = np.lexsort((c["sub"], c["rank"], port))
        delay = c["delay"].astype(float)
        now, later = ordered[delay[ordered] <= 0], ordered[delay[ordered] > 0]
        ports = int(node_port[-1])
        return {
            "in_node": in_node,
            "in_port": in_port,
            "port_now": _starts(port[now], ports),
            "now_code": code[now],
            "port_later": _starts(port[later], ports),
            "later_code": code[later],
            "later_delay": delay[later],
        }


def _starts(port: Any, ports: int) -> Any:
    return np.concatenate([[0], np.cumsum(np.bincount(port, minlength=ports))])
