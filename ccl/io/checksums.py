"""Checksums of the files that stages hand on.

Beside a file ``{folder}/{name}`` lies ``{folder}/.sha256/{name}.sha256`` with one line as ``sha256sum`` writes it, so
that ``cd {folder} && sha256sum -c .sha256/*`` checks a folder without ccl.  Readers check it before they open the file.
A file without a checksum, such as one that the user wrote or an older version of ccl, is read as it is.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from ccl.io.errors import DamageError

FOLDER = ".sha256"
"""Folder of the checksums, beside the files."""

MEND = "run `ccl verify --mend` on the results folder: it moves damaged files aside and says how to make them again"
"""What to do about a damaged file."""


def sha256(path: Path) -> str:
    """Return the sha256 hex digest of a whole file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def checksum_file(path: Path) -> Path:
    """Return where the checksum of a file lies."""
    return path.parent / FOLDER / f"{path.name}.sha256"


def recorded_checksum(path: Path) -> str | None:
    """Return the recorded sha256 of a file, or None if there is none."""
    try:
        return checksum_file(path).read_text(encoding="ascii", errors="replace").partition(" ")[0]
    except (FileNotFoundError, NotADirectoryError):
        return None


def content_digest(path: Path) -> str:
    """Return the sha256 of a file: the recorded one, with which readers have compared the file, or else a new one."""
    return recorded_checksum(path) or digest_now(path)


def digest_now(path: Path) -> str:
    """Return the sha256 of a file as it is; one that did not change since this process read it is not read again."""
    about = path.stat()
    return _digest(path, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def check(path: Path) -> bool:
    """Compare a file with its checksum; return False if it has none.

    A file that did not change since this process checked it is not read again.

    Raises
    ------
    DamageError
        The content is not what was written.
    """
    expected = recorded_checksum(path)
    if expected is None:
        return False
    found = digest_now(path)
    if found != expected:
        raise DamageError(
            "a file is damaged, or was changed after ccl wrote it",
            where=str(path),
            found=f"sha256 {found}",
            expected=f"sha256 {expected}, as in {checksum_file(path)}",
            todo=MEND,
        )
    return True


@lru_cache(maxsize=1 << 16)
def _digest(path: Path, *identity: int) -> str:
    """Return the sha256 of a file; `identity` changes whenever its content does."""
    return sha256(path)
