"""What only a GPU can show: everything here is skipped, with the reason, where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.components.conftest import drawn  # noqa: F401 - a fixture
from tests.data.conftest import make_cohort  # noqa: F401 - a fixture
from tests.explain.conftest import planted  # noqa: F401 - a fixture


@pytest.fixture(scope="session", autouse=True)
def gpu() -> torch.device:
    """Return the GPU."""
    if not torch.cuda.is_available():
        pytest.skip("no GPU: torch finds no CUDA device")
    return torch.device("cuda")


@pytest.fixture
def all_threads() -> Iterator[None]:
    """Give the CPU, which the GPU is compared with, all its threads."""
    few = torch.get_num_threads()
    torch.set_num_threads(max(few, torch.multiprocessing.cpu_count()))
    yield
    torch.set_num_threads(few)


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the length of the difference as a share of the length of what is expected."""
    return float((found.double().cpu() - expected.double()).norm() / expected.double().norm())
