"""What threads of one run share: a counter, and waiting for each other at it."""

from __future__ import annotations

import platform
import sys

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from portable.backends.addresses import OPTIONS

# A waiting thread looks at the counter so often (some 20 us), then sleeps until it is woken. It never yields:
# the scheduler would give its processor to a busy process for milliseconds (seen: 5 times slower), and
# sleeping for a set time lets threads wait for each other in turn.
SPINS, NAP = 100_000, 20
FUTEX = (
    {"x86_64": 202, "aarch64": 98, "riscv64": 98}.get(platform.machine(), 0) if sys.platform == "linux" else 0
)
SLEEPERS, ADDRESS = 2, 9  # places in `sync`: how many sleep, and the array's own address


def _pointer(context, builder, kind, array, index):  # type: ignore[no-untyped-def]
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def fetch_add(typingctx, array, index, value):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """array[index] += value as one atomic operation; the old value."""

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.atomic_rmw(
            "add", _pointer(context, builder, signature.args[0], args[0], args[1]), args[2], "seq_cst"
        )

    return types.int64(array, types.intp, types.int64), code


@intrinsic
def load_now(typingctx, array, index):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """array[index] as other threads have written it."""

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load_atomic(
            _pointer(context, builder, signature.args[0], args[0], args[1]), "acquire", 8, typ=ir.IntType(64)
        )

    return types.int64(array, types.intp), code


@intrinsic
def prefetch(typingctx, array, index):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Ask for the cache line of array[index]."""

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.bitcast(
            _pointer(context, builder, signature.args[0], args[0], args[1]), cgutils.voidptr_t
        )
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(
            builder.module,
            kind,
            "llvm.prefetch.p0i8" if str(cgutils.voidptr_t) == "i8*" else "llvm.prefetch.p0",
        )
        builder.call(function, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), code


if FUTEX:
    _syscall = types.ExternalFunction("syscall", types.int64(*[types.int64] * 7))

    @njit(**OPTIONS)
    def _sleep(sync, target):  # type: ignore[no-untyped-def]
        """Sleep until sync[0] changes (futex, FUTEX_WAIT_PRIVATE): the kernel looks at its lower half again
        before it lets us sleep.
        """
        fetch_add(sync, SLEEPERS, 1)
        seen = load_now(sync, 0)
        if seen < target:
            _syscall(FUTEX, sync[ADDRESS], 128, seen & 0xFFFFFFFF, 0, 0, 0)
        fetch_add(sync, SLEEPERS, -1)

    @njit(**OPTIONS)
    def _wake(sync):  # type: ignore[no-untyped-def]
        """Wake all who sleep (FUTEX_WAKE_PRIVATE)."""
        if load_now(sync, SLEEPERS) > 0:
            _syscall(FUTEX, sync[ADDRESS], 129, 0x7FFFFFFF, 0, 0, 0)

else:
    _nap = (
        types.ExternalFunction("Sleep", types.void(types.uint32))
        if sys.platform == "win32"
        else types.ExternalFunction("usleep", types.int32(types.uint32))
    )
    _NAP = np.uint32(1 if sys.platform == "win32" else NAP)

    @njit(**OPTIONS)
    def _sleep(sync, target):  # type: ignore[no-untyped-def]  # noqa: ARG001
        _nap(_NAP)

    @njit(**OPTIONS)
    def _wake(sync):  # type: ignore[no-untyped-def]
        pass


@njit(**OPTIONS)
def barrier(sync, target):  # type: ignore[no-untyped-def]
    """Wait until `target` arrivals have been counted in sync[0]."""
    if fetch_add(sync, 0, 1) + 1 >= target:
        _wake(sync)
        return
    looks = 0
    while load_now(sync, 0) < target:
        looks += 1
        if looks > SPINS:
            _sleep(sync, target)
