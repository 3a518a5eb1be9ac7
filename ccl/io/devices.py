"""Choice of the torch device; with several GPUs, each process gets its own."""

from __future__ import annotations

import fcntl
import itertools
import os
import resource
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from ccl.io.errors import ConfigError
from ccl.io.progress import say


def pick_device(device: str) -> torch.device:
    """Return the torch device called `device` (``auto``, ``cpu`` or ``cuda``); ``auto`` is a GPU if there is one.

    Each process gets its own GPU and keeps it until it ends.  If other processes of ccl use all GPUs, it shares
    one.  Only the GPUs that ``CUDA_VISIBLE_DEVICES`` names are considered.

    Raises
    ------
    ConfigError
        ``cuda`` was requested and torch finds no GPU, or the GPU cannot be claimed.
    """
    if device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return _own_gpu()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device == "cuda":
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPU only"
        limit = "" if visible is None else f"; CUDA_VISIBLE_DEVICES is '{visible}'"
        raise ConfigError(
            "there is no GPU",
            where="`device`",
            found=f"torch {torch.__version__} ({built}) finds no CUDA device{limit}",
            expected="a GPU and a torch built for it",
            todo="set `device` to cpu or auto"
            + ("" if visible is None else ", or CUDA_VISIBLE_DEVICES to GPUs that nvidia-smi lists"),
        )
    if visible:
        say(f"device: CUDA_VISIBLE_DEVICES is '{visible}', and no such GPU is found: this job computes on the CPU")
    return torch.device("cpu")


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory (MiB) of this process so far: GPU memory, or main memory on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


@cache
def _own_gpu() -> torch.device:
    """Claim a GPU for this process, make it torch's current one, and log it."""
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    # Numbers depend on CUDA_VISIBLE_DEVICES and the container; the UUID of a GPU or MIG slice does not.
    index, before = _claim([str(gpu.uuid) for gpu in gpus])
    torch.cuda.set_device(index)
    shared = "; other jobs have every GPU, so this one is shared" if before else ""
    say(f"device: GPU {index + 1} of {len(gpus)}: {gpus[index].name}, {gpus[index].uuid}{shared}")
    return torch.device("cuda", index)


def _claim(uuids: Sequence[str]) -> tuple[int, int]:
    """Claim the first GPU that no process has claimed, else the first that one process has claimed, and so on.

    Returns
    -------
    index, before : int
        Index of the GPU in `uuids`, and the number of processes that had claimed it before.
    """
    folder = Path(tempfile.gettempdir())
    return next(
        (index, before)
        for before in itertools.count()
        for index, uuid in enumerate(uuids)
        if _lock(folder / f"ccl-gpu-{uuid}.{before}.lock")
    )


def _lock(path: Path) -> bool:
    """Lock a file until this process ends or crashes; return False if another process has locked it."""
    try:
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
    except OSError as error:
        raise ConfigError(
            "a GPU cannot be claimed for this job",
            where=f"{path}",
            found=str(error),
            expected="a file that can be made and locked",
            todo="set TMPDIR to a folder on a local disk that you may write to, the same for all jobs",
        ) from error
    return True  # the open handle holds the lock until the system closes it


def _open(path: Path) -> int:
    """Open a lock file, which may belong to another user, or create it."""
    try:
        # Without O_CREAT, because Linux refuses it for another user's file in a folder such as /tmp.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW)
        os.fchmod(handle, 0o644)  # regardless of the umask, because other users must open it too
        return handle
