"""Source code of the functions of one type of cells, from its layout alone: no cell is known by name. Pure
text, in the language of machine/build.py.

The run loop calls them by address, so they take addresses, and parameters in a table: one text serves all
populations of the type, whatever their parameters.

Symbols of the model get a trailing underscore (v -> v_), which users' names cannot have, so nothing collides.
"""

from __future__ import annotations

from portable.backends.native.events import EACH, HEAD, LONGEST
from portable.backends.native.layout import (
    ARRIVED,
    BLOCK,
    CELL,
    CURRENT,
    KEY0,
    KEY1,
    LEFT,
    SEEN,
    STAMP,
    Layout,
)
from portable.dynamics.component import Assign
from portable.dynamics.emit import emit
from portable.dynamics.expressions import Name, names, substitute
from portable.dynamics.flat import INJECTED
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import DIALECT, SIZE, CellStep, Code, Lines, local, text

# Numbers are int64, and float64 those in FLOATS; `fields`, `arrivals`, `scalars` and `spikes` are addresses.
STEP = "fields, blocks, arrivals, cells, scalars, step, dt, valid, spikes, room"  # gives the number of spikes
ARRIVE = "fields, scalars, weight_, t_"
VISIT = (
    "fields, arrivals, cells, scalars, step, dt, valid, spikes, room, todo, many, low, since, powers, awake"
)
READ = "fields, blocks, scalars, step, dt"
FLOATS = ("dt", "weight_", "t_")


class CellCode:
    """The functions of one layout: `update`, where arrivals are handled alone `conditions` and arrive_<port>,
    and read_<variable> of what links read.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout, self.flat = layout, layout.flat
        self.place = {name: i for i, name in enumerate(layout.fields)}
        self.states = self.flat.state_names
        self.step = CellStep(self.flat, layout.method, layout.refractory, layout.substepped, self.condition)
        self.tested = (
            frozenset().union(*(names(self.flat.inlined(c.test)) for c in self.flat.conditions))
            if self.flat.conditions
            else frozenset()
        )

    def source(self) -> str:
        """The module."""
        parts = [self.update()]
        if self.layout.watched:
            parts.append(self.visit())
        if self.layout.general:
            parts.append(self.conditions())
            parts += [self.arrive(p) for p in self.layout.general]
        parts += [self.read(v) for v in self.layout.seen]
        return "\n\n".join(parts)

    # ---- pieces

    def begin(self, name: str, arguments: str) -> Code:
        """The head of a function, and the scalars into local variables: read once, before all loops."""
        code = Code()
        code.add(f"def {name}({arguments}):")
        code.depth = 1
        values = self.layout.scalars
        if values:
            code.add(f"values = view(scalars, ({len(values)},), float64)")
        code.add(*(f"{local(n)} = values[{i}]" for i, n in enumerate(values)))
        return code

    def block(self) -> str:
        size = BLOCK * len(self.layout.fields)
        return f"block = view(fields + {8 * size} * b, ({size},), float64)"

    def load(self, code: Code, lane: str = "i") -> None:
        code.add(*(f"{local(n)} = block[{BLOCK * i} + {lane}]" for n, i in self.place.items()))
        if not self.layout.injected:
            code.add(f"{INJECTED}_ = 0.0")
        else:
            code.add(f"{INJECTED}_ = {local(CURRENT)}")
        code.add(*(f"{n}_ = 0.0" for n in self.flat.inputs if n not in self.place))

    def store(self, code: Code, what: tuple[str, ...], lane: str = "i") -> None:
        code.add(*(f"block[{BLOCK * self.place[n]} + {lane}] = {local(n)}" for n in what))

    def draws(
        self, code: Lines, assignments: tuple[Assign, ...], stamp: str, arrival: str, deeper: int = 0
    ) -> None:
        """The numbers of the calls of random() in the assignments."""
        start = ", ".join([*map(local, (KEY0, KEY1, CELL)), stamp, arrival])
        code.add(
            *(
                f"{name}_ = random_number({start}, {number})"
                for number, name in draws(a.expr for a in assignments)
            ),
            deeper=deeper,
        )

    def jumps(self) -> dict[str, list[str]]:
        """Arrivals of each state as source, from channel sums in0, in1, ..."""
        out: dict[str, list[str]] = {}
        for c, added in enumerate(self.layout.channels):
            for state, expr in added:
                value = emit(substitute(expr, {"weight": Name(f"in{c}")}), DIALECT)
                out.setdefault(state, []).append(
                    f"(0.0 if held else {value})" if self.step.held(state) else value
                )
        return out

    # ---- the update of a block

    def update(self) -> str:
        code = self.begin("update", STEP)
        code.add("hits = view(spikes, (room,), int32)", "start = step * dt", "t_ = start", "count = 0")
        code.add("for b in range(blocks):")
        code.depth = 2
        code.add(self.block())
        for c in range(len(self.layout.channels)):
            code.add(f"arrivals{c} = view(arrivals + 8 * ({c} * cells + {BLOCK} * b), ({BLOCK},), float64)")
        code.add("found = 0", f"for i in range({self.lanes()}):")
        code.depth = 3
        self.lane(code)
        code.depth = 2
        if self.flat.conditions and not self.layout.general and self.end_test():
            code.add("if found:")
            code.depth = 3
            code.add(f"for i in range({self.layout.lanes}):")
            code.depth = 4
            self.lane_conditions(code)
        code.depth = 1
        code.add("return count")
        return str(code)

    def lanes(self) -> str:
        """How many lanes of block b are integrated: all, as one loop of vectors, or only those with a cell
        where each lane takes steps of its own.
        """
        alone = self.layout.method.name == "rkf45" or self.layout.substepped
        return f"min({BLOCK}, valid - b * {BLOCK})" if alone else str(self.layout.lanes)

    def end_test(self) -> bool:
        """Whether conditions are tested at the end of the step (always, unless substeps did it and no arrival
        moves what is tested).
        """
        return not self.layout.method.within_step or bool(self.tested & self.jumps().keys())

    def lane(self, code: Code) -> None:
        self.load(code)
        for c in range(len(self.layout.channels)):
            code.add(f"in{c}_ = arrivals{c}[i]", f"arrivals{c}[i] = 0.0")
        code.add("held = False")
        self.count_down(code)
        if ARRIVED in self.place:
            code.add(f"{local(STAMP)} = step + 1.0", f"{local(ARRIVED)} = 0.0")
        jumps = self.jumps()
        method = self.layout.method
        if method.name == "exact":
            self.exact(code)
        elif method.name == "euler":
            self.euler(code, jumps)
        else:
            self.step.write(code)
        if method.name != "euler":
            self.add_arrivals(code, jumps)
        own = (
            (LEFT,) * self.layout.refractory
            + (SIZE,) * (method.name == "rkf45")
            + (STAMP, ARRIVED) * (ARRIVED in self.place)
        )
        moved = [
            s
            for s in self.states
            if s in self.flat.derivatives or s in jumps or self.layout.method.within_step
        ]
        self.store(code, (*moved, *own))
        if self.flat.conditions and not self.layout.general and self.end_test():
            code.add("t_ = (step + 1) * dt")
            self.step.derived(code, [c.test for c in self.flat.conditions])
            tests = [
                f"({text(c.test)}{' & (own_left <= 0.0)' if c.spike and self.layout.refractory else ''})"
                for c in self.flat.conditions
            ]
            code.add(f"found += 1 if {' | '.join(tests)} else 0", "t_ = start")

    def count_down(self, code: Code) -> None:
        """A step of the refractory period, and whether it still holds."""
        if self.layout.refractory:
            code.add("own_left = own_left - 1.0 if own_left > 0.0 else own_left", "held = own_left > 0.0")

    def add_arrivals(self, code: Code, jumps: dict[str, list[str]]) -> None:
        for s, terms in jumps.items():
            total = " + ".join(terms)
            code.add(f"{s}_ = {s}_ + {total if len(terms) == 1 else f'({total})'}")

    def exact(self, code: Code) -> None:
        held = dict(self.layout.held)
        for state, row in self.layout.free:
            value = self.row(row)
            other = held[state]
            if other is not None and self.layout.refractory:
                value = f"{self.row(other)} if held else {value}"
            code.add(f"next_{state} = {value}")
        code.add(*(f"{state}_ = next_{state}" for state, _ in self.layout.free))

    def row(self, row: tuple[tuple[str, str], ...]) -> str:
        terms = []
        for what, coefficient in row:
            x = f"{what}_" if what else ""
            c = local(coefficient) if coefficient else ""
            terms.append(" * ".join(p for p in (c, x) if p))
        return " + ".join(terms) or "0.0"

    def euler(self, code: Code, jumps: dict[str, list[str]]) -> None:
        self.step.guard(code)
        self.step.slopes(code, "f_")
        for s in self.states:
            terms = ([f"dt * f_{s}"] if s in self.flat.derivatives else []) + jumps.get(s, [])
            if terms:
                code.add(f"{s}_ = {s}_ + ({' + '.join(terms)})")

    def condition(self, code: Lines) -> None:
        """The only condition of a type, where it is tested in the course of the update: after a substep, or
        when a cell that sleeps is looked at. The counter gets one more, for the rest of this step.
        """
        (condition,) = self.flat.conditions
        self.step.derived(code, [condition.test, *(a.expr for a in condition.assignments)])
        code.add(f"if {text(condition.test)}" + (" and own_left <= 0.0:" if self.layout.refractory else ":"))
        self.draws(code, condition.assignments, "step + 1", "0", 1)
        code.add(*(f"{a.variable}_ = {text(a.expr)}" for a in condition.assignments), deeper=1)
        if condition.spike:
            self.spike(code, 1)

    def spike(self, code: Lines, deeper: int, once: str = "") -> None:
        """A spike of cell i; `once` is "" or the local variable that says whether it has had one in this
        step.
        """
        if self.layout.refractory:
            code.add("own_left = own_period + 1.0 if own_period > 0.0 else 0.0", deeper=deeper)
        self.send(code, deeper, once)

    def send(self, code: Lines, deeper: int, once: str) -> None:
        """Put cell i into the list of spikes, where it is none that fills the last block."""
        code.add(f"if b * {BLOCK} + i < valid{f' and not {once}' if once else ''}:", deeper=deeper)
        code.add(
            f"if count < hits.size: hits[count] = b * {BLOCK} + i",
            "count += 1",
            *([f"{once} = True"] if once else []),
            deeper=deeper + 1,
        )

    def lane_conditions(self, code: Code) -> None:
        self.load(code)
        code.add("t_ = (step + 1) * dt")
        if self.layout.refractory:
            code.add("free = own_left <= 0.0")
        once = "fired" if sum(c.spike for c in self.flat.conditions) > 1 else ""
        if once:
            code.add("fired = False")
        for c in self.flat.conditions:
            self.step.derived(code, [c.test, *(a.expr for a in c.assignments)])
            code.add(f"if {text(c.test)}" + (" and free:" if c.spike and self.layout.refractory else ":"))
            self.draws(code, c.assignments, "step + 1", "0", 1)
            code.add(
                *(f"{a.variable}_ = {text(a.expr)}" for a in c.assignments),
                *(() if c.assignments or c.spike else ("pass",)),
                deeper=1,
            )
            if c.spike:
                self.spike(code, 1, once)
        assigned = {a.variable for c in self.flat.conditions for a in c.assignments}
        self.store(code, (*(s for s in self.states if s in assigned), *((LEFT,) * self.layout.refractory)))

    # ---- cells that sleep (events.py)

    def visit(self) -> str:
        """The cells todo[:many] that are of this slice, whose first is `low`: what has passed since they were
        looked at, this step's arrivals, the threshold. Who may reach it without more arrivals stays awake.
        """
        rows = self.layout.free
        head = HEAD + EACH * len(rows)
        code = self.begin("visit", VISIT)
        code.add(
            "hits = view(spikes, (room,), int32)",
            "listed = view(todo, (many,), int32)",
            "seen = view(since, (1,), int64)",
            "up = view(awake, (1,), int32)",
            "power = view(powers, (1,), float64)",
            *(
                f"arrivals{c} = view(arrivals + 8 * {c} * cells, (cells,), float64)"
                for c in range(len(self.layout.channels))
            ),
            "t_ = (step + 1) * dt",
            "count = 0",
            "for q in range(many):",
        )
        code.depth = 2
        code.add("cell = listed[q]", "if cell < low or cell >= low + valid:", "    continue")
        code.add(
            f"b = (cell - low) >> {BLOCK.bit_length() - 1}", f"i = (cell - low) & {BLOCK - 1}", self.block()
        )
        self.load(code)
        for c in range(len(self.layout.channels)):
            code.add(f"in{c}_ = arrivals{c}[cell]", f"arrivals{c}[cell] = 0.0")
        code.add("steps = step + 1 - seen[2 * cell]", "seen[2 * cell] = step + 1", "held = False")
        terms = sum(len(row) for _, row in rows)
        code.add("while steps > 1:", f"    at = {head} + {terms} * (min(steps, {LONGEST}) - 2)")
        n = 0
        for state, row in rows:
            products = [f"power[at + {n + j}]" + (f" * {w}_" if w else "") for j, (w, _) in enumerate(row)]
            code.add(f"next_{state} = {' + '.join(products)}", deeper=1)
            n += len(row)
        code.add(*(f"{state}_ = next_{state}" for state, _ in rows), deeper=1)
        code.add(f"steps = steps - min(steps, {LONGEST})", deeper=1)
        code.add("if steps == 1:")
        code.depth = 3
        self.count_down(code)
        self.exact(code)
        code.depth = 2
        self.add_arrivals(code, self.jumps())
        self.condition(code)
        self.store(code, (*self.states, *((LEFT,) * self.layout.refractory)))
        code.add("bound = 0.0")
        for j, (state, _) in enumerate(rows):
            place = HEAD + EACH * j
            code.add(f"over = {state}_ - power[{place}]")
            code.add(f"bound = bound + over * (power[{place + 1}] if over > 0.0 else power[{place + 2}])")
            if state == self.layout.watched:
                code.add(f"bound = bound + power[{place}]")
        left = " or own_left > 0.0" if self.layout.refractory else ""
        code.add(f"if bound >= power[0]{left} or seen[2 * cell + 1] > 0:")
        code.add("up[0] = up[0] + 1", "up[up[0]] = cell", deeper=1)
        code.depth = 1
        code.add("return count")
        return str(code)

    # ---- arrivals handled one by one

    def conditions(self) -> str:
        code = self.begin("conditions", STEP)
        code.add("hits = view(spikes, (room,), int32)", "count = 0", "for b in range(blocks):")
        code.add(self.block(), f"for i in range({self.layout.lanes}):", deeper=1)
        code.depth = 3
        if self.flat.conditions:
            self.lane_conditions(code)
        else:
            code.add("pass")
        code.depth = 1
        code.add("return count")
        return str(code)

    def arrive(self, port_name: str) -> str:
        """One spike of weight `weight_` at the cell whose first field is at the address `fields`."""
        port = self.flat.port(port_name)
        assert port is not None
        code = self.begin(f"arrive_{port_name}", ARRIVE)
        code.add(f"block = view(fields, ({BLOCK * len(self.layout.fields) - BLOCK + 1},), float64)")
        self.load(code, "0")
        code.add("held = own_left > 0.0" if self.layout.refractory else "held = False")
        self.step.derived(code, [a.expr for a in port.assignments])
        self.draws(code, port.assignments, local(STAMP), local(ARRIVED))
        counted = (ARRIVED,) * bool(draws(a.expr for a in port.assignments))
        code.add(*(f"{local(n)} += 1.0" for n in counted))
        for a in port.assignments:
            value = text(a.expr)
            code.add(
                f"{a.variable}_ = {a.variable}_ if held else {value}"
                if self.step.held(a.variable)
                else f"{a.variable}_ = {value}"
            )
        self.store(code, (*dict.fromkeys(a.variable for a in port.assignments), *counted), "0")
        code.add("return 0")
        return str(code)

    # ---- variables that links read

    def read(self, variable: str) -> str:
        """The variable of all cells into its field, from the states at the start of a step."""
        code = self.begin(f"read_{variable}", READ)
        code.add("t_ = step * dt", "for b in range(blocks):")
        code.add(self.block(), f"for i in range({self.layout.lanes}):", deeper=1)
        code.depth = 3
        self.load(code)
        self.step.derived(code, [Name(variable)])
        code.add(f"block[{BLOCK * self.place[SEEN + variable]} + i] = {variable}_")
        code.depth = 1
        code.add("return 0")
        return str(code)
