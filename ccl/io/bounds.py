"""Bounds on files of others, which are checked before such a file is read: SECURITY.md lists them.

A small file can declare a huge array, or point to files elsewhere on the disk.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py

from ccl.io.errors import InputError

RATIO = 200
"""Most bytes that one stored byte may become; features compress by 2, tables of mutations by 100."""

FREE_BYTES = 1 << 28
"""Size after decompression up to which :data:`RATIO` does not matter: an array of HDF5, or an archive."""

FREE_TABLE_BYTES = 1 << 31
"""The same for a zipped table: one of mutations consists of zeros."""


def check_size(path: Path, declared: int, stored: int, *, free: int = FREE_BYTES) -> None:
    """Raise :class:`InputError` if a file becomes far larger than it is.

    Parameters
    ----------
    declared, stored : int
        Bytes after and before decompression.
    """
    if declared > max(free, RATIO * stored):
        raise InputError(
            "a file that becomes too large when it is read",
            where=str(path),
            found=f"{declared / 1e6:.0f} MB from {stored / 1e6:.3f} MB",
            expected=f"at most {free / 1e6:.0f} MB, or {RATIO} times what is stored",
            todo="do not trust the file; if it is yours, write it again without compression",
        )


def check_h5(path: Path, file: h5py.File) -> None:
    """Raise :class:`InputError` if arrays of an HDF5 file lie in other files, or become far larger than they are."""
    links: dict[str, Any] = {}
    file.visititems_links(links.__setitem__)  # h5py loses errors that its callback raises
    faults = [
        f"{name} is a link to another file" for name, link in links.items() if isinstance(link, h5py.ExternalLink)
    ]
    # What a soft link names is visited too.
    for item in (file[name] for name, link in links.items() if isinstance(link, h5py.HardLink)):
        if isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
            faults.append(f"{item.name} lies in another file")
        elif isinstance(item, h5py.Dataset):
            check_size(path, item.nbytes, item.id.get_storage_size())
    if faults:
        raise InputError(
            "an HDF5 file that points to other files",
            where=str(path),
            found=", ".join(faults[:3]),
            expected="a file that holds all its arrays",
            todo="do not trust the file; if it is yours, copy its arrays with `h5repack` or h5py",
        )


def check_archive(path: Path) -> None:
    """Raise :class:`InputError` if a ZIP archive, such as a file of ``torch.save``, becomes far larger than it is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            declared = sum(member.file_size for member in archive.infolist())
        check_size(path, declared, path.stat().st_size)
