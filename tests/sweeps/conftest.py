from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.faulty import Installed, install


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """`noise=faulty`, for this process and for those that it starts from now on."""
    installed = install(tmp_path / "plugin")
    installed.use(monkeypatch)
    return installed
