from pathlib import Path

import pytest

from screening.exceptions import BundleError, DataAccessError
from screening.models.encoder import EMBEDDED_SHA256, load_encoder, locate_embedded_encoder, validate_weights


def test_embedded_encoder_is_found_and_has_the_published_weights() -> None:
    folder = locate_embedded_encoder()
    validate_weights(folder / "model.safetensors", EMBEDDED_SHA256)
    assert (folder / "tokenizer.json").is_file()


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"other weights")
    with pytest.raises(BundleError, match="refusing to load"):
        validate_weights(weights, EMBEDDED_SHA256)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        validate_weights(tmp_path / "model.safetensors", EMBEDDED_SHA256)


def test_unreachable_encoder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataAccessError, match="all-MiniLM-L6-v2"):
        load_encoder(str(tmp_path / "nowhere"))
