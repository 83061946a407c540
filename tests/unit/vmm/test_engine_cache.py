"""Compiled code that is kept: a cache that is full, spoilt, forbidden or shared costs time and nothing else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from command import START, environment

from machines import SPEC, machine

pytest.importorskip("llvmlite")

from popek_vmm.engine import build as building
from popek_vmm.engine import compiled
from popek_vmm.engine.build import Built, build
from popek_vmm.engine.compiled import MAGIC, host_key, kept
from popek_vmm.steps import Bare

FILE = str(SPEC / "stack/stack.isa")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("POPEK_CACHE_DIR", str(folder))
    return folder


# -- what cannot be written --------------------------------------------------------------------------------------------


Harm: TypeAlias = "Callable[[pytest.MonkeyPatch], None]"


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes the start of a file."""
    opened = os.fdopen

    def open_full(handle: int, mode: str) -> Any:
        file = opened(handle, mode)
        file.write(b"half")
        file.flush()

        class Full:
            def __enter__(self) -> Full:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    monkeypatch.setattr(os, "fdopen", open_full)


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> tuple[int, str]:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)


@pytest.mark.parametrize("harm", [full, read_only])
def test_a_disk_that_takes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm) -> None:
    """The value is made each time, and nothing is left behind; what was kept before is still used."""
    assert kept(str, "old", lambda: "before") == ("before", False)
    harm(monkeypatch)
    for _ in range(2):
        assert kept(str, "new", lambda: "made") == ("made", False)
    assert kept(str, "old", lambda: "again") == ("before", True)
    assert [file.name for file in cache.iterdir()] == ["engine-old"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it may not")
def test_a_folder_without_the_right_to_write(cache: Path) -> None:
    cache.mkdir(mode=0o500)
    assert kept(str, "key", lambda: "made") == ("made", False)
    assert list(cache.iterdir()) == []


def test_a_cache_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's place is taken by a file, or the entry's by a folder."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert kept(str, "key", lambda: "made") == ("made", False)
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path))
    (tmp_path / "engine-key").mkdir()
    assert kept(str, "key", lambda: "made") == ("made", False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["engine-key", "file"]


# -- whole programs ----------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from popek.cli import main
sys.argv = ["popek", *sys.argv[1:]]
main()
"""


def start(cache: Path, image: Path, *before: str) -> subprocess.Popen[str]:
    """`popek run` of the stack machine for 50 steps, with its own cache. Without `before` it is the plain command."""
    image.write_bytes(bytes(64))
    command = before or ("-c", START)
    return subprocess.Popen(
        [sys.executable, *command, "run", FILE, str(image), "--max-instructions", "50", "--stats"],
        env=environment(cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and what it said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def strange(cache: Path) -> list[str]:
    """Files that are no whole entries: those written aside have names that start with a dot."""
    return [file.name for file in cache.iterdir() if file.name.startswith(".")]


def test_a_limit_on_the_size_of_files(cache: Path, tmp_path: Path) -> None:
    """As on a full disk, writes fail half way: the program runs all the same, and no half of a file stays."""
    code, said = ended(start(cache, tmp_path / "image", "-c", LIMITED))
    assert code == 124, said
    assert not list(cache.glob("engine-*")) and not strange(cache)


def test_two_at_once(cache: Path, tmp_path: Path) -> None:
    """Two programs fill an empty cache at the same time: both are right, one whole entry stays, a third one uses it."""
    both = [start(cache, tmp_path / f"image{number}") for number in range(2)]
    assert [ended(process)[0] for process in both] == [124, 124]
    assert len(list(cache.glob("engine-*"))) == 1 and not strange(cache)
    (entry,) = cache.glob("engine-*")
    before = entry.stat().st_mtime_ns
    code, said = ended(start(cache, tmp_path / "image"))
    assert (code, entry.stat().st_mtime_ns, "program kept" in said) == (124, before, True), said


def test_a_spoilt_object_is_compiled_anew(cache: Path) -> None:
    """Of a whole program's entry: cut short at many places, changed at many; it is never run."""
    steps = Bare(machine("stack/stack.isa"))
    good, found = build(steps)
    assert not found and build(steps) == (good, True)
    (entry,) = cache.glob("engine-*")
    data = entry.read_bytes()
    for at in (0, 1, len(MAGIC), len(MAGIC) + 31, len(data) // 2, len(data) - 1):
        for spoilt in (data[:at], data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]):
            entry.write_bytes(spoilt)
            assert kept(Built, entry.name.removeprefix("engine-"), lambda: good) == (good, False), at
            assert entry.read_bytes() == data


# -- what an entry depends on ------------------------------------------------------------------------------------------


def used_key(monkeypatch: pytest.MonkeyPatch, key: str = "machine") -> str:
    """The name under which a build would be kept."""
    names: list[str] = []

    def note(kind: type, name: str, make: object) -> tuple[None, bool]:
        names.append(name)
        return None, True

    with monkeypatch.context() as inner:
        inner.setattr(building, "kept", note)
        host_key.cache_clear()
        build(Bare(machine("stack/stack.isa")), key)
    host_key.cache_clear()
    return names[0]


def test_the_key_is_of_all_that_code_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine, version of this package or of llvmlite, processor or its features: another entry."""
    first, llvm = used_key(monkeypatch), compiled._llvm()
    assert used_key(monkeypatch) == first
    found = {first, used_key(monkeypatch, "another machine")}
    changes: list[tuple[object, str, Any]] = [
        (compiled, "sources_digest", lambda *_: "other code of the engine"),
        (building, "code_digest", lambda: "other code of the language"),
        (sys.modules["llvmlite"], "__version__", "0.0"),
        (llvm, "get_host_cpu_name", lambda: "another"),
        (llvm, "get_default_triple", lambda: "another-unknown-linux"),
        (llvm, "get_host_cpu_features", lambda: llvm.FeatureMap({"another": True})),
    ]
    for owner, name, other in changes:
        with monkeypatch.context() as inner:
            inner.setattr(owner, name, other)
            found.add(used_key(monkeypatch))
    assert len(found) == 2 + len(changes)


def test_the_key_is_of_the_code_of_steps_and_monitors(monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[Path] = []
    with monkeypatch.context() as inner:
        inner.setattr(compiled, "sources_digest", lambda *folders: digested.extend(folders) or "")
        used_key(inner)
    files = {file.name for folder in digested for file in folder.rglob("*.py")}
    assert {"steps.py", "hosted.py", "places.py", "program.py"} <= files


def test_an_entry_of_another_format_is_not_used(cache: Path) -> None:
    """An object under the right name but of another file format, or of another kind, is made anew."""
    kept(str, "key", lambda: "one")
    file = cache / "engine-key"
    file.write_bytes(b"popek-object-0\n" + file.read_bytes()[len(MAGIC) :])
    assert kept(str, "key", lambda: "two") == ("two", False)
    assert kept(int, "key", lambda: 3) == (3, False)
