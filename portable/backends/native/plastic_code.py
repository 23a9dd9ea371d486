"""Source code of the functions of one kind of connections that learn, from its rule alone. Pure text, in the
language of machine/build.py.

A synapse is looked at when its source spikes: then all that its target has done since the last time is read
from the target's history, in order, and what it sends goes into the ring of arrivals. So no step passes over
all synapses, and nothing depends on when one looks: every decay is from one event of the synapse's clock to
the next. Traces of the source are kept once for each source, those of the target in its history.

`deliver` does that for one stamp, `note` enters spikes of targets into their histories and `hear` those of a
third factor into its own, `flush` brings every synapse up to a step (to read weights, or because a history is
nearly full).
"""

from __future__ import annotations

from portable.backends.native.plastic_form import Form, text
from portable.backends.native.tables import LEARN
from portable.dynamics.component import Assign
from portable.dynamics.expressions import Expr, names
from portable.dynamics.random_calls import draws
from portable.dynamics.steps import Code, local
from portable.dynamics.synapse import ELAPSED, WEIGHT

DELIVER = "row, floats, ints, places, lags, spikes, mask, low, high, arrivals, slot, ring, stamp"
NOTE = "row, floats, ints, hits, count, stamp"
HEAR = "row, floats, ints, spikes, mask, low, high, clock, more"
AHEAD = 8  # how many synapses ahead a history is asked for
FAR = 1 << 60  # later than any instant
FLUSH = "row, floats, ints, places, lags, now"


class PlasticCode:
    """Writes the functions of a form."""

    def __init__(self, form: Form) -> None:
        self.form, self.rule = form, form.rule
        self.late = any(a.variable in form.own for a in self.rule.after_post)

    def functions(self) -> list[str]:
        return [getattr(self, name)() for name in self.form.functions]

    # ---- pieces

    def begin(self, name: str, arguments: str, *of_synapses: str) -> Code:
        """The head: the block's numbers and arrays as local variables."""
        f = self.form
        code = Code()
        code.add(f"def {name}({arguments}):")
        code.depth = 1
        code.add(f"block = view(row, ({len(LEARN)},), int64)", f"axonal = block[{LEARN.axonal}]")
        code.add(f"values = view(floats + 8 * block[{LEARN.scalars}], ({len(f.scalars) + 1},), float64)")
        code.add("dt = values[0]", *(f"{local(n)} = values[{i + 1}]" for i, n in enumerate(f.scalars)))
        code.add(f"long = block[{LEARN.long}]")
        for i, s in enumerate(f.tabled):
            code.add(f"table_{s} = view(floats + 8 * (block[{LEARN.tables}] + {i} * long), (long,), float64)")
        if f.answers:
            code.add(
                f"room = block[{LEARN.room}]",
                f"counts = view(ints + 8 * block[{LEARN.counts}], (1,), int64)",
                f"starts = view(ints + 8 * block[{LEARN.starts}], (1,), int64)",
                f"history = view(floats + 8 * block[{LEARN.history}], (1,), float64)",
            )
        if of_synapses:
            kind, size = ("uint16", 2) if f.short else ("uint32", 4)
            code.add(
                f"size = block[{LEARN.size}]",
                f"n = block[{LEARN.synapses}]",
                f"on = block[{LEARN.on}]",
                f"floor = block[{LEARN.floor}]",
                f"first_cell = block[{LEARN.cell}]",
                f"rows = view(ints + 8 * block[{LEARN.rows}], (1,), int64)",
                f"last = view(ints + 8 * block[{LEARN.last}], (1,), int64)",
                f"targets = view(places + {size} * block[{LEARN.targets}], (1,), {kind})",
                f"delays = view(lags + 2 * block[{LEARN.targets}], (1,), uint16)",
                f"weights = view(floats + 8 * block[{LEARN.weights}], (1,), float64)",
            )
            for i, s in enumerate(f.pre):
                code.add(f"of_{s} = view(floats + 8 * (block[{LEARN.pre}] + {i} * size), (1,), float64)")
            for i, s in enumerate((*f.own, *f.varying)):
                code.add(f"of_{s} = view(floats + 8 * (block[{LEARN.own}] + {i} * n), (1,), float64)")
            if self.rule.draws():
                code.add(
                    f"key0 = block[{LEARN.key0}]",
                    f"key1 = block[{LEARN.key1}]",
                    f"first = block[{LEARN.first}]",
                    f"nths = view(ints + 8 * block[{LEARN.nth}], (1,), int64)",
                )
            if f.dated:
                code.add(f"ages = view(ints + 8 * block[{LEARN.ages}], (1,), int64)")
        if f.signal:
            code.add(
                f"signals = block[{LEARN.signals}]",
                f"signal_room = block[{LEARN.signal_room}]",
                f"heard = view(floats + 8 * block[{LEARN.heard}], (1,), float64)",
            )
        return code

    def decayed(self, state: str, x: str, steps: str) -> str:
        """x after so many steps (a name)."""
        d = self.rule.decay.get(state)
        if d is None:
            return x
        far = f"exp(-({text(d.rate)}) * ({steps} * dt))"
        if state in self.form.tabled:
            kept = f"(table_{state}[{steps}] if {steps} < long else {far})"
        else:
            kept = f"({far} if {steps} > 0 else 1.0)"
        if d.rest is None:
            return f"{x} * {kept}"
        rest = text(d.rest)
        return f"{rest} + ({x} - {rest}) * {kept}"

    def assign(
        self, code: Code, assignments: tuple[Assign, ...], clock: str = "", again: str = "again"
    ) -> None:
        """clock, again: the instant and the spike's number in it, of which drawn numbers are functions."""
        for a in assignments:
            self.draw(code, a.expr, clock, again)
            new = text(self.rule.clipped(a.expr) if a.variable == WEIGHT else a.expr)
            held = f" if on != 0 else {local(WEIGHT)}" if a.variable == WEIGHT else ""
            code.add(f"{local(a.variable)} = ({new}){held}")

    def draw(self, code: Code, expr: Expr, clock: str, again: str) -> None:
        """The numbers of the calls of random() in an expression."""
        for number, name in draws([expr]):
            who = f"key0, key1, source, targets[j] - first_cell + first, {clock}, nths[j] * 256 + {again}"
            code.add(f"{local(name)} = random_synapse({who}, {number})")

    def of_own(self, handler: str) -> tuple[Assign, ...]:
        return tuple(a for a in getattr(self.rule, handler) if a.variable in self.form.own)

    def recall(self, code: Code) -> None:
        """The third factor as it was at instant `begin`, and its first spike after that: the same for all
        connections of a source.
        """
        if not self.form.signal:
            return
        code.add("first_heard = signals", "limit = float(begin)", "known = max(0, signals - signal_room)")
        code.add(f"while first_heard > known and heard[{self.said('(first_heard - 1)')}] > limit:")
        code.add("    first_heard = first_heard - 1", "last_heard = 0")
        code.add(*(f"was_{s} = 0.0" for s in self.form.signal))
        code.add("if first_heard > known:")
        code.add(
            f"place = {self.said('(first_heard - 1)')}",
            "last_heard = int(heard[place])",
            *(f"was_{s} = heard[place + {2 + i}]" for i, s in enumerate(self.form.signal)),
            deeper=1,
        )

    def said(self, m: str) -> str:
        """The place in `heard` of entry m."""
        return f"({m} & (signal_room - 1)) * {self.form.heard}"

    def load(self, code: Code) -> None:
        f = self.form
        code.add(f"{local(WEIGHT)} = weights[j]", *(f"{local(s)} = of_{s}[j]" for s in (*f.own, *f.varying)))
        if f.dated:
            code.add("age = ages[j]")
        if f.signal:
            code.add("steps = age - last_heard")
            code.add(*(f"{local(s)} = {self.decayed(s, f'was_{s}', 'steps')}" for s in f.signal))
        code.add("back = delays[j] - axonal")

    def store(self, code: Code) -> None:
        f = self.form
        code.add(f"weights[j] = {local(WEIGHT)}", *(f"of_{s}[j] = {local(s)}" for s in f.own))
        if f.dated:
            code.add("ages[j] = age")

    def age(self, code: Code, clock: str) -> None:
        """What moves of the connection, at that instant."""
        if not self.form.dated:
            return
        code.add(f"steps = {clock} - age")
        if self.rule.drift:
            code.add("if steps > 0 and on != 0:")
            code.depth += 1
            code.add(f"{local(ELAPSED.id)} = steps * dt")
            code.add(*(f"{local(a.variable)} = {text(a.expr)}" for a in self.rule.drifted()))
            code.depth -= 1
        moving = [*self.form.signal, *self.form.aged]
        code.add(*(f"{local(s)} = {self.decayed(s, local(s), 'steps')}" for s in moving))
        code.add(f"age = {clock}")

    def entry(self, k: str) -> str:
        """The place in `history` of entry k of the cell."""
        return f"(cell * room + ({k} & (room - 1))) * {self.form.width}"

    def look_back(self, code: Code, clock: str) -> None:
        """top: the last entry of the target's history that the clock has seen at that instant; bottom: the
        last that had been seen when the synapse was looked at before.
        """
        code.add("cell = targets[j] - first_cell", "count = counts[cell]", "oldest = max(0, count - room)")
        code.add(f"limit = float({clock} - back)", "seen = float(begin - back)", "top = count - 1")
        code.add(
            f"while top >= oldest and history[{self.entry('top')}] > limit:",
            "    top = top - 1",
            "bottom = top",
            f"while bottom >= oldest and history[{self.entry('bottom')}] > seen:",
            "    bottom = bottom - 1",
        )

    def since(self, code: Code, clock: str, joined: bool) -> None:
        """All that a synapse has seen since it was looked at: on_post for the target's entries behind bottom
        up to top, on_signal. joined: what follows the handlers of an instant is left, in `pending`, where a
        spike of the source is at the same instant.
        """
        f = self.form
        if f.answers:
            self.look_back(code, clock)
        if not f.answers and not f.signal:
            return
        late = self.of_own("after_post")
        if draws(a.expr for a in self.rule.on_post):
            code.add("same = 0", "before_clock = -1")
        if late:
            code.add("pending = 0", "instant = -1")
        if not f.signal:
            code.add("for k in range(bottom + 1, top + 1):")
            code.depth += 1
            self.spike_of_target(code, late)
            code.depth -= 1
        else:
            code.add("m = first_heard", *(["k = bottom + 1"] if f.answers else []), "while 1 > 0:")
            code.depth += 1
            code.add(f"heard_at = {FAR}", "if m < signals:")
            code.add(f"heard_at = int(heard[{self.said('m')}])", deeper=1)
            code.add(f"if heard_at > {clock}:", f"    heard_at = {FAR}")
            code.add(f"clock = {FAR}")
            if f.answers:
                code.add("if k <= top:", f"    clock = int(history[{self.entry('k')}]) + back")
            code.add(f"if heard_at == {FAR} and clock == {FAR}:", "    break")
            code.add("if heard_at <= clock:")
            code.depth += 1
            self.spike_of_signal(code, late)
            code.add("continue")
            code.depth -= 1
            if f.answers:
                self.spike_of_target(code, late)
                code.add("k = k + 1")
            code.depth -= 1
        if late:
            self.finish(code, late, "instant", f" and instant != {clock}" if joined else "")

    def finish(self, code: Code, late: tuple[Assign, ...], clock: str, also: str = "") -> None:
        """What is left of the handlers of an instant, for each of its spikes of the target."""
        code.add(f"while pending > 0{also}:")
        code.depth += 1
        self.assign(code, late, clock, "pending - 1")
        code.add("pending = pending - 1")
        code.depth -= 1

    def spike_of_signal(self, code: Code, late: tuple[Assign, ...]) -> None:
        """Entry m of the third factor's history."""
        f = self.form
        if late:
            self.finish(code, late, "instant", " and instant != heard_at")
        self.age(code, "heard_at")
        code.add(f"place = {self.said('m')}")
        code.add(*(f"{local(s)} = heard[place + {2 + i}]" for i, s in enumerate(f.signal)))
        mine = tuple(a for a in self.rule.on_signal if a.variable not in f.signal)
        if mine:
            code.add("for again in range(int(heard[place + 1])):")
            code.depth += 1
            self.assign(code, mine, "heard_at")
            code.depth -= 1
        code.add("m = m + 1")

    def spike_of_target(self, code: Code, late: tuple[Assign, ...]) -> None:
        """Entry k of the target's history."""
        f = self.form
        code.add(f"place = {self.entry('k')}", "clock = int(history[place]) + back")
        if late:
            self.finish(code, late, "instant", " and instant != clock")
        self.age(code, "clock")
        read = self.rule.reads("on_post") | frozenset(n for a in late for n in names(a.expr))
        if read & set(f.pre):
            code.add("passed = clock - (before + axonal)")
            code.add(*(f"{local(s)} = {self.decayed(s, f'old_{s}', 'passed')}" for s in f.pre if s in read))
        code.add(*(f"{local(s)} = history[place + {1 + i}]" for i, s in enumerate(f.before)))
        if draws(a.expr for a in self.rule.on_post):
            code.add("same = same + 1 if clock == before_clock else 0", "before_clock = clock")
        self.assign(code, self.rule.on_post, "clock", "same")
        if late:
            code.add("pending = pending + 1", "instant = clock")

    # ---- functions

    def deliver(self) -> str:
        """The spikes[low:high] of one stamp, those of the block's sources."""
        f = self.form
        code = self.begin("deliver", DELIVER, "synapses")
        code.add(
            f"base = block[{LEARN.base}]",
            f"offset = block[{LEARN.channel}]",
            "fired = view(spikes, (1,), int32)",
            "buffer = view(arrivals, (1,), float64)",
            "q = low",
            "while q < high:",
        )
        code.depth = 2
        code.add("source = fired[q & mask] - base", "q = q + 1", "many = 1")
        code.add("if source < 0 or source >= size:", "    continue")
        code.add("while q < high and fired[q & mask] - base == source:")
        code.add("    q = q + 1", "    many = many + 1")
        code.add("before = last[source]", "passed = stamp - before", "now = stamp + axonal")
        for s in f.pre:
            code.add(f"old_{s} = of_{s}[source]", f"now_{s} = {self.decayed(s, f'old_{s}', 'passed')}")
        code.add("begin = max(before + axonal, floor)")
        self.recall(code)
        code.add("end = rows[source + 1]", "for j in range(rows[source], end):")
        code.depth = 3
        if f.answers:  # histories lie anywhere in memory
            code.add(
                f"if j + {AHEAD} < end:",
                f"    cell = targets[j + {AHEAD}] - first_cell",
                f"    prefetch(history, {self.entry('(counts[cell] - 1)')})",
            )
        self.load(code)
        self.since(code, "now", joined=True)
        self.age(code, "now")
        code.add(*(f"{local(s)} = now_{s}" for s in f.pre))
        late = self.of_own("after_pre")
        read = self.rule.reads("on_pre", "sends") | frozenset(n for a in late for n in names(a.expr))
        if (needed := [s for s in f.post if s in read]) and f.answers:
            code.add(*(f"{local(s)} = 0.0" for s in needed))
            code.add(f"while top >= oldest and history[{self.entry('top')}] == limit:", "    top = top - 1")
            code.add("if top >= oldest:")
            code.depth = 4
            code.add(f"place = {self.entry('top')}", "old = int(limit - history[place])")
            for i, s in enumerate(f.after):
                if s in needed:
                    x = f"history[place + {1 + len(f.before) + i}]"
                    code.add(f"{local(s)} = {self.decayed(s, x, 'old')}")
            code.depth = 3
        code.add("for again in range(many):")
        code.depth = 4
        self.assign(code, self.rule.on_pre, "now")
        self.draw(code, self.rule.sends, "now", "again")
        place = "((stamp + delays[j]) & ring) * slot + offset + targets[j]"
        code.add(f"buffer[{place}] = buffer[{place}] + {text(self.rule.sends)}")
        code.depth = 3
        if self.late:
            self.finish(code, self.of_own("after_post"), "now")
        if late:
            code.add("for again in range(many):")
            code.depth = 4
            self.assign(code, late, "now")
            code.depth = 3
        self.store(code)
        code.depth = 2
        jumps = tuple(a for a in self.rule.after_pre if a.variable in f.pre)
        if jumps:
            code.add(*(f"{local(s)} = now_{s}" for s in f.pre), "for again in range(many):")
            code.depth = 3
            self.assign(code, jumps)
            code.depth = 2
            code.add(*(f"of_{s}[source] = {local(s)}" for s in f.pre))
        code.add("last[source] = stamp")
        code.depth = 1
        code.add("return 0")
        return str(code)

    def note(self) -> str:
        """Spikes of `count` targets, whose numbers are at `hits`, into their histories."""
        f = self.form
        code = self.begin("note", NOTE)
        code.add("fired = view(hits, (1,), int32)", f"most = block[{LEARN.most}]", "for i in range(count):")
        code.depth = 2
        code.add("cell = fired[i]", "k = counts[cell]", f"place = {self.entry('k')}")
        code.add(*(f"{local(s)} = 0.0" for s in f.post), *(f"was_{s} = 0.0" for s in f.before))
        if f.post:
            code.add("if k > 0:")
            code.depth = 3
            code.add(f"old = {self.entry('(k - 1)')}", "steps = stamp - int(history[old])")
            first = 1 + len(f.before)
            code.add(
                *(
                    f"{local(s)} = {self.decayed(s, f'history[old + {first + i}]', 'steps')}"
                    for i, s in enumerate(f.after)
                )
            )
            for i, s in enumerate(f.before):  # a second spike in one step does not see the first one's jump
                code.add(f"was_{s} = history[old + {1 + i}] if steps == 0 else {local(s)}")
            code.depth = 2
        self.assign(code, tuple(a for a in self.rule.after_post if a.variable in f.post))
        code.add("history[place] = float(stamp)")
        code.add(*(f"history[place + {1 + i}] = was_{s}" for i, s in enumerate(f.before)))
        code.add(*(f"history[place + {1 + len(f.before) + i}] = {local(s)}" for i, s in enumerate(f.after)))
        code.add("counts[cell] = k + 1", "most = max(most, k + 1 - starts[cell])")
        code.depth = 1
        code.add(f"block[{LEARN.most}] = most", "return 0")
        return str(code)

    def hear(self) -> str:
        """Spikes of the third factor seen at an instant: those of [low:high] that are its population's, and
        so many `more`.
        """
        f = self.form
        code = self.begin("hear", HEAR)
        code.add("fired = view(spikes, (1,), int32)", "many = more", "for q in range(low, high):")
        code.add(f"source = fired[q & mask] - block[{LEARN.signal_base}]", deeper=1)
        code.add(f"if source >= 0 and source < block[{LEARN.signal_size}]:", "    many = many + 1", deeper=1)
        code.add("if many > 0:")
        code.depth = 2
        code.add(f"place = {self.said('signals')}", *(f"{local(s)} = 0.0" for s in f.signal))
        code.add("already = 0.0", "new = 1", "if signals > 0:")
        code.depth = 3
        code.add(f"old = {self.said('(signals - 1)')}", "steps = clock - int(heard[old])")
        code.add("if steps == 0:", "    place = old", "    already = heard[old + 1]", "    new = 0")
        code.add(
            *(
                f"{local(s)} = {self.decayed(s, f'heard[old + {2 + i}]', 'steps')}"
                for i, s in enumerate(f.signal)
            )
        )
        code.depth = 2
        code.add("for again in range(many):")
        code.depth = 3
        self.assign(code, tuple(a for a in self.rule.on_signal if a.variable in f.signal))
        code.add("pass")
        code.depth = 2
        code.add("heard[place] = float(clock)", "heard[place + 1] = already + many")
        code.add(*(f"heard[place + {2 + i}] = {local(s)}" for i, s in enumerate(f.signal)))
        code.add(f"block[{LEARN.signals}] = signals + new")
        code.depth = 1
        code.add("return 0")
        return str(code)

    def flush(self) -> str:
        """Every synapse as it is after step `now`; histories need not be kept from before that."""
        code = self.begin("flush", FLUSH, "synapses")
        code.add("for source in range(size):")
        code.depth = 2
        code.add("before = last[source]", "begin = max(before + axonal, floor)")
        code.add(*(f"old_{s} = of_{s}[source]" for s in self.form.pre))
        self.recall(code)
        code.add("for j in range(rows[source], rows[source + 1]):")
        code.depth = 3
        self.load(code)
        self.since(code, "now", joined=False)
        self.store(code)
        code.depth = 1
        code.add(f"block[{LEARN.floor}] = now", f"block[{LEARN.first_signal}] = block[{LEARN.signals}]")
        if not self.form.answers:
            code.add("return 0")
            return str(code)
        code.add("most = 0", f"for cell in range(block[{LEARN.cells}]):")
        code.depth = 2
        keep = f"float(now - block[{LEARN.back}])"
        code.add(
            "k = starts[cell]",
            f"while k < counts[cell] and history[{self.entry('k')}] <= {keep}:",
            "    k = k + 1",
            "starts[cell] = k",
            "most = max(most, counts[cell] - k)",
        )
        code.depth = 1
        code.add(f"block[{LEARN.most}] = most", "return 0")
        return str(code)


def source(form: Form) -> str:
    """The module of a form."""
    return "\n\n".join(PlasticCode(form).functions())
