"""Arrays by their address, and calls by address: with one signature for all models a loop is compiled once,
and a new model only brings its own functions.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False, "cache": True}


@intrinsic
def invoke(typingctx, address, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """What the function at that address (C calling convention, int64 result) gives for a tuple of int64 and
    float64.
    """

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
        values = cgutils.unpack_tuple(builder, args[1])
        kind = ir.FunctionType(ir.IntType(64), [v.type for v in values])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)

    return types.int64(types.int64, arguments), code


@intrinsic
def view(typingctx, address, shape, dtype):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """The array of that address (int64), shape (a tuple of int64) and type; like numba.carray, which takes
    much longer to compile.
    """
    array = types.Array(dtype.dtype, len(shape), "C")

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
        item = context.get_abi_sizeof(context.get_data_type(array.dtype))
        lengths = cgutils.unpack_tuple(builder, args[1])
        strides = [context.get_constant(types.intp, item)]
        for n in lengths[:0:-1]:
            strides.insert(0, builder.mul(strides[0], n))
        made = context.make_array(array)(context, builder)
        data = builder.inttoptr(args[0], made.data.type)
        populate_array(
            made,
            data=data,
            shape=lengths,
            strides=strides,
            itemsize=context.get_constant(types.intp, item),
            meminfo=None,
        )
        return made._getvalue()

    return array(address, shape, dtype), code
