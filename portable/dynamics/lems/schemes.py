"""A kinetic scheme -> rate equations of its states."""

from __future__ import annotations

from portable.dynamics.expressions import (
    Bin,
    Expr,
    Name,
    Num,
)
from portable.dynamics.lems.instance import Instance
from portable.dynamics.lems.scope import TreeScope
from portable.dynamics.lems.types import (
    KineticScheme,
)
from portable.errors import ModelError, suggestion
from portable.units import Dimension


def kinetic_scheme(scope: TreeScope, i: Instance, k: KineticScheme) -> None:
    nodes, edges = i.lists.get(k.nodes, []), i.lists.get(k.edges, [])
    if scope.abstract:
        return
    if not nodes:
        raise ModelError(
            str(i.where),
            "its kinetic scheme has no states",
            f"put {k.nodes} such as <openState id='o'/> into it",
        )
    for n in nodes:
        if (id(n), k.state_variable) not in scope.out.symbols:
            raise ModelError(
                str(n.where),
                f"is a state of a kinetic scheme and has no state variable '{k.state_variable[:60]}'",
                f"the scheme is at {k.where}",
            )
    by_id = {n.component.id: n for n in nodes}
    change: dict[str, Expr] = {
        scope.out.symbols[id(n), k.state_variable]: Num(0.0, Dimension(t=-1)) for n in nodes
    }
    for e in edges:
        ends = [e.text(key) for key in (k.edge_source, k.edge_target)]
        for end in ends:
            if end not in by_id:
                raise ModelError(
                    str(e.where),
                    f"leads to the state '{end[:60]}', which is not there",
                    suggestion(end, by_id),
                )
        a, b = (scope.out.symbols[id(by_id[end]), k.state_variable] for end in ends)
        rates = [scope.variable(e, e.type.exposed(r) or r, k.where) for r in (k.forward_rate, k.reverse_rate)]
        flow = Bin("-", Bin("*", rates[0], Name(a)), Bin("*", rates[1], Name(b)))
        change[a], change[b] = Bin("-", change[a], flow), Bin("+", change[b], flow)
    scope.out.derivatives |= change
    share = Num(1.0 / len(nodes))
    scope.out.initial |= dict.fromkeys(change, share)
