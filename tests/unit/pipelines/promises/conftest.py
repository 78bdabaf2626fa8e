from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def bundle(save_small_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    """A small bundle where a run would have it."""
    return save_small_bundle(tmp_path / "run" / "bundle")
