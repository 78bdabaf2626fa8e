import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from screening.taxonomy import Taxonomy, load_taxonomy

WORDS = ("river", "stone", "cloud", "paper", "lamp", "garden", "winter", "orange", "music", "window", "bread", "train")


@pytest.fixture
def taxonomy() -> Taxonomy:
    return load_taxonomy("mh5")


@pytest.fixture
def make_posts() -> Callable[..., pd.DataFrame]:
    """Invented posts of 12 random words each; no two alike."""

    def make(n: int, labels: tuple[str, ...], seed: int = 0, **columns: object) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        texts = [f"entry {seed} {i} " + " ".join(rng.choice(WORDS, 12)) for i in range(n)]
        return pd.DataFrame({"text": texts, "label": [labels[i % len(labels)] for i in range(n)]}).assign(**columns)

    return make


@pytest.fixture
def write_jsonl() -> Callable[[Path, list[dict[str, object]]], Path]:
    def write(path: Path, records: list[dict[str, object]]) -> Path:
        path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def reddit2013_folder() -> Path:
    folder = Path(__file__).parents[4] / "../shared/data/reddit2013_mh5"
    if not folder.is_dir():
        pytest.skip("data set reddit2013_mh5 is not here")
    return folder
