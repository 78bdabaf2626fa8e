"""A tiny random screener bundle, saved once for all tests of the pipelines."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, save_small_bundle: Callable[..., Path]) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("bundles") / "bundle")
