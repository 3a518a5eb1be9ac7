"""Torch on one thread: the tests of several processes share the machine."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
