"""A server like GDC's, and no waiting between tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ccl.wsi.download import fetch
from tests.wsi.download.server import Gdc, serving


@pytest.fixture
def gdc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gdc]:
    monkeypatch.setattr(fetch, "FIRST_WAIT_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with serving() as server:
        yield server
