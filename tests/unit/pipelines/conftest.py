"""A tiny random screener bundle, written the way calibration writes one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from screening.taxonomy import Taxonomy, load_taxonomy

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def build_tokenizer() -> Any:
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*specials, *LETTERS, *(f"##{letter}" for letter in LETTERS), *".,!?'"])
    backend = BertWordPieceTokenizer({piece: i for i, piece in enumerate(pieces)}, lowercase=True)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), specials, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend._tokenizer, model_max_length=32, **names)


def build_classifier(taxonomy: Taxonomy, n_pieces: int) -> Any:
    import torch
    from transformers import BertConfig

    from screening.models.classifier import RiskClassifier, RiskConfig

    encoder = BertConfig(
        vocab_size=n_pieces,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=48,
        initializer_range=0.5,
    )
    names = dict(enumerate(taxonomy.names))
    config = RiskConfig(
        encoder=encoder.to_dict(), max_tokens=32, id2label=names, label2id={name: i for i, name in names.items()}
    )
    torch.manual_seed(7)
    return RiskClassifier(config).eval()


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from screening.bundle import BundleManifest, save_bundle
    from screening.calibration.temperature import TemperatureScaling
    from screening.thresholds.operating_point import OperatingPoint

    taxonomy = load_taxonomy("mh5")
    points = tuple(
        OperatingPoint(
            name=target.name,
            labels=target.labels,
            triage=target.triage,
            target_recall=0.95,
            confidence_level=0.95,
            threshold=0.25,
            n_samples=200,
            n_positive=59,
            n_allowed_misses=0,
            recall_lower_bound=0.9505,
            confidence_achieved=0.9515,
        )
        for target in taxonomy.targets
    )
    manifest = BundleManifest(
        name="tiny",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="0123456789ab",
        encoder="tiny",
        max_tokens=32,
        precision="fp32",
        is_synthetic=True,
        taxonomy=taxonomy,
        temperature=TemperatureScaling(temperature=1.5, n_samples=100),
        operating_points=points,
    )
    tokenizer = build_tokenizer()
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    save_bundle(folder, build_classifier(taxonomy, len(tokenizer)), tokenizer, manifest)
    return folder
