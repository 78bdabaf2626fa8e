"""What a small training starts from: a random encoder, a teacher, and forty posts of all classes."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.unit.screening.training.small_training import TAXONOMY, WORDS, save_classifier


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, bert_classifier: Any, bert_tokenizer: Any) -> Path:
    return save_classifier(tmp_path_factory.mktemp("encoder"), bert_classifier.encoder, bert_tokenizer)


@pytest.fixture
def teacher(tmp_path: Path, bert_classifier: Any, bert_tokenizer: Any) -> Path:
    return save_classifier(tmp_path / "teacher", bert_classifier, bert_tokenizer)


@pytest.fixture
def posts() -> pd.DataFrame:
    labels = [name for name in TAXONOMY.names for _ in range(8)]
    texts = [f"i feel {WORDS[i // 8]} my {'so ' * (i % 4)}{WORDS[i % 5]}" for i in range(len(labels))]
    return pd.DataFrame({"text": texts, "label": labels})
