"""IR text to native code: the only module that imports llvmlite. Objects are kept in the cache directory."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from popek_grammar.cache import cache_dir
from popek_grammar.text.files import sources_digest, write_whole

T = TypeVar("T")
MAGIC = b"popek-object-1\n"


@dataclass(frozen=True, slots=True)
class Library:
    """Linked code; lives as long as this value."""

    jit: Any
    tracker: Any

    def address(self, name: str) -> int:
        return int(self.tracker[name])


@lru_cache(maxsize=1)
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _target(level: int) -> Any:
    llvm = _llvm()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=level, reloc="pic", codemodel="small")


def object_code(text: str, level: int = 2, light: bool = False) -> bytes:
    """Compiles IR text; `light` with a few passes only. The object holds no addresses and may be linked anywhere."""
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    target = _target(level)
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=level))
    if light:
        passes = llvm.create_new_module_pass_manager()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    else:
        passes = builder.getModulePassManager()
    passes.run(module, builder)
    return bytes(target.emit_object(module))


_linked = 0


def link(codes: Iterable[bytes], exports: Iterable[str]) -> Library:
    """Puts objects that refer to each other into this process."""
    global _linked
    _linked += 1
    llvm = _llvm()
    jit = llvm.create_lljit_compiler(_target(2))
    builder = llvm.JITLibraryBuilder().add_current_process()
    for code in codes:
        builder = builder.add_object_img(code)
    for name in exports:
        builder = builder.export_symbol(name)
    return Library(jit, builder.link(jit, f"popek{_linked}"))


def kept(kind: type[T], key: str, make: Callable[[], T]) -> tuple[T, bool]:
    """The value under `key`, made when it is not kept yet; whether it was kept.

    A file carries a digest of its own content: one that is cut short or spoilt is made anew.
    """
    directory = cache_dir()
    path = directory / f"engine-{key}" if directory is not None else None
    found = _read(path) if path is not None else None
    if isinstance(found, kind):
        return found, True
    value = make()
    if path is not None:
        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, MAGIC + _digest(data) + data)
    return value, False


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def _read(path: Path) -> object:
    try:
        content = path.read_bytes()
        data = content[len(MAGIC) + 32 :]
        return pickle.loads(data) if content == MAGIC + _digest(data) + data else None
    except Exception:  # an unreadable entry is as good as none
        return None


@lru_cache(maxsize=1)
def host_key() -> str:
    """What an object depends on beside the machine: this generator, llvmlite, and the processor."""
    import llvmlite

    llvm = _llvm()
    features = llvm.get_host_cpu_features().flatten()
    code = sources_digest(Path(__file__).parents[1])  # steps and monitors decide what is generated too
    parts = (code, llvmlite.__version__, llvm.get_default_triple(), llvm.get_host_cpu_name(), features)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()
