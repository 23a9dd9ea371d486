"""The native engine: code generated from the flat form, threads that own disjoint targets, no Python per
step.

lower.py chooses integrators and buffers (pure), layout.py and codegen.py write the functions of a type of
cells, which backends/machine compiles once for all populations of the type; loop.py is the run loop that
calls them by address with what kernels.py draws and delivery.py adds up, and that numba compiles once for all
models (code.py). events.py lets cells sleep between events. tables.py names the columns of what the loop
reads, parts.py fills it, synapses.py compresses connections, execute.py runs, pace.py says with how many
threads; cuda/ does it on a device.
Connections that learn: plastic_form.py says what decides their code, plastic_code.py writes it, plastic.py
has their arrays.
What a network will take: outline.py says how much of everything there is, cost.py what that costs,
calibration.py keeps what measuring.py, with probes.py and loading.py, finds of this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from portable.backends.capabilities import Capabilities
from portable.backends.contract import Foreseen, Lowered, RunConfig, Session, Shortfall
from portable.backends.native.lower import CUDA, DUE, EVENTS, NativePlan, lower
from portable.backends.native.threads import worthwhile
from portable.dynamics.linear import plain_jumps
from portable.model.network import Network
from portable.resolve.program import CellGroup, Program


class NativeBackend:
    """Frozen and native inputs are the same here: Poisson trains are drawn inside the update by the program's
    own function.
    """

    name = "native"
    folder = Path(__file__).parent
    capabilities = Capabilities.load(folder)

    def default_threads(self, program: Program) -> int:
        return worthwhile(program)

    def check(self, program: Program, config: RunConfig) -> list[Shortfall]:
        delivery = config.options.get("delivery", "auto")
        for c in program.connections:
            post = program.group(c.post)
            assert isinstance(post, CellGroup)
            port = next(p for p in post.flat.ports if p.name == c.port)
            if c.learning is not None and plain_jumps(port, post.flat) is None:
                reason = f"it learns, and '{c.post}.{c.port}' does more with a spike than add to states"
                remedy = "use a receptor whose event is 'state += weight', or the reference backend"
                return [Shortfall("synapses.plastic", f"projection '{c.projection}'", reason, remedy)]
        if config.options.get("device") == CUDA and delivery not in ("auto", DUE):
            reason = f"on a device every delay's synapses are read when they are due, not by '{delivery}'"
            return [Shortfall("options", "delivery", reason, "leave delivery out")]
        return []

    def lower(self, program: Program, config: RunConfig) -> Lowered:
        lowered = lower(program, config)
        if lowered.plan.delivery != EVENTS:
            return lowered
        from portable.backends.native.cells import described

        return replace(lowered, integrators=described(lowered.plan))

    def open(self, plan: NativePlan) -> Session:
        if plan.device == CUDA:
            from portable.backends.native import cuda

            cuda.needed()
            from portable.backends.native.cuda.session import CudaSession

            return CudaSession(plan)
        from portable.backends.native.execute import NativeSession

        return NativeSession(plan)

    def foresee(self, network: Network, dt: float, tell: Callable[[str], object]) -> Foreseen:
        from portable.backends.native.calibration import calibrated
        from portable.backends.native.cost import foreseen
        from portable.backends.native.outline import outline

        one, own = outline(network, dt, 1), outline(network, dt)
        return foreseen(own, one, calibrated((one, own), tell))

    def version(self) -> str | None:
        return self.capabilities.version()


BACKEND = NativeBackend()
