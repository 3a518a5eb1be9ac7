"""Slides, manifests and tables as a user has them, in small."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def slide(path: Path, *, scale: bool = True, content: str | None = None) -> Path:
    """Write the smallest slide that OpenSlide opens; its colour follows from `content`, by default its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mpp = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"} if scale else {"resolutionunit": "NONE"}
    colour = zlib.crc32((content or str(path)).encode()).to_bytes(4)[:3]
    pixels = np.full((256, 256, 3), list(colour), np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="jpeg", metadata=None, **mpp)
    return path


def manifest(path: Path, files: Mapping[str, bytes | Path], ids: Mapping[str, str] | None = None) -> Path:
    """Write a GDC manifest of files by name, each with its content or a file that has it."""
    lines = ["id\tfilename\tmd5\tsize\tstate"]
    for name, content in files.items():
        data = content.read_bytes() if isinstance(content, Path) else content
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        lines.append(f"{(ids or {}).get(name, uuid(name))}\t{name}\t{digest}\t{len(data)}\treleased")
    return write(path, "\n".join([*lines, ""]))


def uuid(name: str) -> str:
    """Return the id of a file in :func:`manifest`."""
    return f"{zlib.crc32(name.encode()):08x}-0000-4000-8000-000000000000"
