"""Damage to one input of a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.faults.cases import Case
from ccl.io.checksums import checksum_file


def flip(content: bytearray, rng: np.random.Generator) -> None:
    """Flip one bit."""
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def blank(content: bytearray, rng: np.random.Generator) -> None:
    """Write zeros over up to 512 bytes, as a bad block does."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + 512)
    content[start:end] = bytes(end - start)


def cut(content: bytearray, rng: np.random.Generator) -> None:
    """Cut the file short."""
    del content[int(rng.integers(len(content))) :]


def overwrite(content: bytearray, rng: np.random.Generator) -> None:
    """Write random bytes over up to 16 bytes."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + 16)
    content[start:end] = rng.bytes(end - start)


def empty(content: bytearray, rng: np.random.Generator) -> None:
    """Leave nothing."""
    content.clear()


DAMAGES: Mapping[str, Callable[[bytearray, np.random.Generator], None]] = {
    each.__name__: each for each in (flip, blank, cut, overwrite, empty)
}


def damage(case: Case) -> str:
    """Damage an input of the case; return what was done.

    A file that ccl wrote loses its checksum in every fourth case, as if an older version had written it.  The command
    then need not notice all that changed.
    """
    victims = case.inputs()
    if case.stage == "verify":
        victims = [path for path in victims if checksum_file(case.finished / path).exists()]
    kinds = sorted({(path.parent.name, path.suffix) for path in victims})
    kind = kinds[int(case.rng.integers(len(kinds)))]  # each kind of file as often, however many there are
    own = [path for path in victims if (path.parent.name, path.suffix) == kind]
    case.victim = str(own[int(case.rng.integers(len(own)))])
    name = list(DAMAGES)[int(case.rng.integers(len(DAMAGES)))]
    before = (case.finished / case.victim).read_bytes()
    content = bytearray(before)
    while bytes(content) == before:  # a block may have been blank before
        DAMAGES[name](content, case.rng)
    case.clear()
    case.replace(case.victim, bytes(content))
    path = Path(case.victim)
    slide = path.suffix == ".svs" and case.stage in ("tile", "embed")  # explain says on the page what it cannot show
    case.ours = slide or checksum_file(case.work / path).exists()
    if case.ours and not slide and case.rng.random() < 0.25:
        checksum_file(case.work / path).unlink()
        case.ours = False
        name += ", no checksum"
    return name
