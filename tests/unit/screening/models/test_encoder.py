import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, BertModel

from screening.exceptions import BundleError, ConfigError, DataAccessError
from screening.models.encoder import (
    EMBEDDED_ENCODER,
    EMBEDDED_SHA256,
    _set_dropout,
    load_encoder,
    load_tokenizer,
    locate_embedded_encoder,
    resolve_encoder,
    validate_weights,
)


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


def _save_encoder(folder: Path, model_type: str) -> None:
    """Save a small encoder and its tokenizer that name code on a hub, as some encoders of the hub do."""
    encoder = BertModel(
        BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=30522)
    )
    encoder.save_pretrained(folder)
    load_tokenizer(locate_embedded_encoder()).save_pretrained(folder)
    code = {"AutoConfig": "someone/code--c.Theirs", "AutoModel": "someone/code--m.Theirs"}
    changes: dict[str, dict[str, object]] = {
        "config.json": {"model_type": model_type, "auto_map": code},
        "tokenizer_config.json": {"auto_map": {"AutoTokenizer": [None, "someone/code--t.Theirs"]}},
    }
    for name, change in changes.items():
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(content | change), encoding="utf-8")


def test_an_encoder_of_unknown_code_is_refused_without_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked whether foreign code may run"))
    _save_encoder(tmp_path, "theirs")
    with pytest.raises(DataAccessError, match="needs code of its own"):
        load_encoder(str(tmp_path))


def test_an_encoder_that_names_code_and_needs_none_is_loaded_without_the_name(tmp_path: Path) -> None:
    _save_encoder(tmp_path, "bert")
    encoder, tokenizer = load_encoder(str(tmp_path))
    assert "auto_map" not in encoder.config.to_dict()
    tokenizer.save_pretrained(tmp_path / "again")
    assert "auto_map" not in (tmp_path / "again" / "tokenizer_config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [EMBEDDED_ENCODER, "folder"])
def test_what_is_saved_names_the_encoder_and_no_place_of_the_machine(name: str, tmp_path: Path) -> None:
    if name == "folder":
        _save_encoder(tmp_path, "bert")
    source = resolve_encoder(name) if name == EMBEDDED_ENCODER else str(tmp_path)
    encoder, tokenizer = load_encoder(name if name == EMBEDDED_ENCODER else source)
    assert encoder.config.to_dict()["_name_or_path"] == (name if name == EMBEDDED_ENCODER else "")
    for part in (encoder, tokenizer):
        part.save_pretrained(tmp_path / "saved")
    assert not any(source in path.read_text(encoding="utf-8") for path in (tmp_path / "saved").glob("*.json"))


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "modernbert", "deberta-v2", "mpnet"])
def test_dropout_makes_two_readings_differ_in_every_architecture(model_type: str) -> None:
    config = AutoConfig.for_model(model_type)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config.update(small | ({"hidden_dim": 16} if model_type == "distilbert" else {}))
    ids = torch.tensor([[5, 6, 7, 8]])
    for rate, differs in ((0.5, True), (0.0, False)):
        _set_dropout(config, rate, 0.0)
        encoder = AutoModel.from_config(config).train()
        first, second = (encoder(input_ids=ids).last_hidden_state for _ in range(2))
        assert torch.equal(first, second) is not differs


def test_dropout_of_an_encoder_without_a_setting_for_it_is_refused() -> None:
    config = AutoConfig.for_model("eurobert")
    _set_dropout(config, 0.0, 0.2)
    assert config.attention_dropout == 0.2
    with pytest.raises(ConfigError, match=r"model\.dropout is 0\.1.*'eurobert'.*set model\.dropout=0"):
        _set_dropout(config, 0.1, 0.0)


def test_unreachable_encoder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataAccessError, match="all-MiniLM-L6-v2"):
        load_encoder(str(tmp_path / "nowhere"))
