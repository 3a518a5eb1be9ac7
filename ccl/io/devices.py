"""Which device torch computes on."""

from __future__ import annotations

import resource

import torch

from ccl.io.errors import ConfigError


def pick_device(device: str) -> torch.device:
    """Return the torch device called `device` (``auto``, ``cpu`` or ``cuda``); ``auto`` is a GPU where there is one.

    Raises
    ------
    ConfigError
        ``cuda`` was asked for, and torch finds no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "there is no GPU",
            where="`device`",
            found=f"torch {torch.__version__} finds no CUDA device",
            expected="a GPU and a torch built for it",
            todo="set `device` to cpu or auto",
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory (MiB) that this process has used so far: of the GPU, or on the CPU of the machine."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
