"""Files that are written whole or not at all, and the digest of a package's source."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Writes aside, then renames: another process, or a full disk, sees the old file or the new one. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode if mode is not None else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sources_digest(*folders: Path) -> str:
    """A digest of all Python and grammar text under `folders`: another version of a package has another."""
    digest = hashlib.blake2b(digest_size=20)
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".lark"):
                digest.update(file.read_bytes())
    return digest.hexdigest()
