"""Files are whole or not there, and keep their permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from popek_grammar.text import files
from popek_grammar.text.files import sources_digest, write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.isa"
    target.write_text("old")
    target.chmod(0o640)
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.isa"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_digest_follows_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "notes.txt").write_text("1")
    before = sources_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("2")
    assert sources_digest(tmp_path) == before
    (tmp_path / "a.py").write_text("2")
    assert sources_digest(tmp_path) != before
