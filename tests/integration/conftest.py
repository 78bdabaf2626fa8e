"""A small corpus file with planted phrases, and a tiny random encoder to train on it in seconds."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.unit.conftest import bert_classifier, bert_tokenizer, build_classifier, save_small_bundle

__all__ = ["bert_classifier", "bert_tokenizer", "build_classifier", "save_small_bundle"]  # fixtures of both

PLANTED_TEXT = "zyxquartz lanternfish"
PLANTED_AUTHOR = "plantedperson"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT with the embedded encoder's tokenizer, saved the transformers way."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from screening.models.encoder import locate_embedded_encoder

    folder = tmp_path_factory.mktemp("encoder")
    AutoTokenizer.from_pretrained(locate_embedded_encoder()).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic posts as a CSV file; every post and every author carries a planted phrase."""
    from screening.data.synthetic import generate_posts

    posts = generate_posts(2_000, seed=3)
    posts["text"] = posts["text"] + " " + PLANTED_TEXT
    posts["author_id"] = PLANTED_AUTHOR + posts["author_id"].astype(str)
    path = tmp_path_factory.mktemp("corpus") / "posts.csv"
    pd.DataFrame(posts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Further synthetic posts as posts from another place; a planted phrase in every one."""
    from screening.data.synthetic import generate_posts

    posts = generate_posts(200, seed=8)
    path = tmp_path_factory.mktemp("elsewhere") / "elsewhere.csv"
    posts.assign(text=posts["text"] + " " + PLANTED_TEXT)[["text", "label"]].to_csv(path, index=False)
    return path


@pytest.fixture
def small_config(tiny_encoder: Path, corpus: Path, elsewhere: Path, tmp_path: Path) -> Path:
    """A config file of a run that takes seconds."""
    tree = {
        "name": "small",
        "output_dir": str(tmp_path / "runs"),
        "data": {
            "source": "file",
            "path": str(corpus),
            "author_column": "author_id",
            "date_column": "created_at",
            "id_column": "post_id",
            "calibration_fraction": 0.2,
            "external": str(elsewhere),
        },
        "model": {"encoder": str(tiny_encoder), "max_tokens": 32},
        "training": {
            "epochs": 2,
            "batch_size": 32,
            "learning_rate": 0.003,
            "save_every_steps": 5,
            "ema_decay": 0.9,
            "n_threads": 1,
        },
        "tracking": {"uri": f"sqlite:///{tmp_path / 'mlflow.db'}"},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path
