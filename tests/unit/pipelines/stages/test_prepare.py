from pathlib import Path

import pytest
from rich.console import Console

from pipelines.artifacts import RunFolder
from pipelines.run import RunContext
from pipelines.stages import prepare
from screening.config import load_config
from screening.taxonomy import load_taxonomy


@pytest.fixture
def prepared(tmp_path: Path) -> RunContext:
    """A run of the synthetic corpus, prepared twice: the second time its folder is there already."""
    config = load_config(overrides=[f"output_dir={tmp_path}", "name=r", "data.n_synthetic=400"])
    context = RunContext(config, load_taxonomy("mh5"), RunFolder(config.run_dir), Console(quiet=True))
    for _ in range(2):
        prepare.run(context)
    return context


def test_only_its_owner_can_read_what_preparing_writes(prepared: RunContext) -> None:
    files = sorted(prepared.folder.data.iterdir())
    assert {"train.parquet", "controls.parquet", "data_card.json"} <= {path.name for path in files}
    assert [path.name for path in (prepared.folder.data, *files) if path.stat().st_mode & 0o077] == []
