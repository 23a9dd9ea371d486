"""Machine code of generated functions: optimised by LLVM, kept on disk, loaded into the process."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from portable import caches, files
from portable.backends.machine import build
from portable.backends.machine.extern import Extern

SPEED = 3  # as numba and -O3 have it: loops become vectors
DIGEST = hashlib.sha256().digest_size
_loaded: dict[str, tuple[Any, Mapping[str, int]]] = {}  # by the name of the text: its engine must stay alive


def load(
    folder: Path,
    source: str,
    extern: Mapping[str, Extern],
    floats: tuple[str, ...] = (),
) -> Mapping[str, int]:
    """Address of each function of the text (see build.py), with C's calling convention.

    extern: functions that it may call, by the names by which it calls them. floats: names of arguments that
    are float64. The code is kept in `folder`, if that can be written.
    """
    called = {n: x for n, x in extern.items() if f"{n}(" in source}
    name = _name(source, called, floats)
    if name not in _loaded:
        for x in called.values():
            llvm.add_symbol(x.symbol, x.address())
        code = _kept(folder / f"{name}.o")
        if code is None:
            code = compiled(build.module(source, called, floats))
            _keep(folder, f"{name}.o", code)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _loaded[name] = engine, {n: engine.get_function_address(n) for n in build.function_names(source)}
    return _loaded[name][1]


def compiled(module: Any) -> bytes:
    """The module's machine code for this processor, as an object file."""
    checked = llvm.parse_assembly(str(module))
    checked.verify()
    target = _target()
    checked.triple, checked.data_layout = llvm.get_process_triple(), str(target.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=SPEED)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(checked, builder)
    code: bytes = target.emit_object(checked)
    return code


def _target() -> Any:
    """This processor. A new one each time: an engine owns the one that it is given."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=_features(),
        opt=SPEED,
        reloc="pic",
        codemodel="jitdefault",
        jit=True,
    )


@functools.cache
def _features() -> str:
    text: str = llvm.get_host_cpu_features().flatten()
    return text


def _name(source: str, extern: Mapping[str, Extern], floats: tuple[str, ...]) -> str:
    """Of the file: the same for the same code on the same kind of processor."""
    kinds = {n: (x.symbol, x.types) for n, x in extern.items()}
    parts = (
        source, repr(kinds), repr(floats), llvmlite.__version__, llvm.get_host_cpu_name(), _features(),
        _writer(),
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


@functools.cache
def _writer() -> str:
    """Digest of what makes the code."""
    here = Path(__file__).parent
    texts = ((here / name).read_bytes() for name in ("library.py", "build.py", "values.py"))
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _kept(path: Path) -> bytes | None:
    """The code in the file, or None where there is none or it is damaged, which the linker would not see."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    code = data[DIGEST:]
    return code if hashlib.sha256(code).digest() == data[:DIGEST] else None


def _keep(folder: Path, name: str, code: bytes) -> None:
    try:
        files.write(caches.made(folder) / name, hashlib.sha256(code).digest() + code)
    except OSError:
        return  # it is compiled again next time
