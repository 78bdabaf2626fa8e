from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from screening.exceptions import ConfigError
from screening.models.classifier import RiskClassifier, count_positions
from screening.models.pooling import compute_cls_pooling, compute_mean_pooling


def test_mean_pooling_ignores_padding() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [99.0]]])
    assert compute_mean_pooling(hidden, torch.tensor([[1, 1, 0]])).item() == 2
    assert compute_cls_pooling(hidden, torch.tensor([[1, 1, 0]])).item() == 1


def test_mean_pooling_of_a_post_without_tokens_is_zero() -> None:
    assert compute_mean_pooling(torch.ones(1, 2, 3), torch.zeros(1, 2)).tolist() == [[0, 0, 0]]


def test_heads_have_their_shapes_and_ranges(bert_classifier: Any) -> None:
    torch.manual_seed(0)
    output = bert_classifier(input_ids=torch.randint(5, 30, (4, 9)))
    assert output.logits.shape == (4, 5)
    assert output.valence.shape == output.intensity.shape == (4,)
    assert output.valence.abs().max() <= 1
    assert ((output.intensity >= 0) & (output.intensity <= 1)).all()


def test_padding_changes_nothing(bert_classifier: Any) -> None:
    ids = torch.tensor([[2, 10, 11, 3]])
    padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], dim=1)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0]])
    alone = bert_classifier(input_ids=ids).logits
    together = bert_classifier(input_ids=padded, attention_mask=mask).logits
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)  # sums in another order


@pytest.mark.parametrize("kind", ["bert_classifier", "roberta_classifier"])
def test_saved_classifier_loads_through_auto_classes_with_the_same_output(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    classifier = request.getfixturevalue(kind)
    classifier.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".bin", ".pt", ".pkl"}]
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert isinstance(loaded, RiskClassifier)
    ids = torch.tensor([[2, 10, 11, 3]])
    # weights are equal to the bit; sums may run in another order where memory is aligned otherwise
    assert all(torch.equal(a, b) for a, b in zip(classifier.parameters(), loaded.parameters(), strict=True))
    torch.testing.assert_close(classifier(input_ids=ids).logits, loaded(input_ids=ids).logits, atol=1e-6, rtol=1e-6)
    assert loaded.config.id2label == classifier.config.id2label


def test_fresh_heads_on_a_saved_encoder_take_the_asked_dropout(
    bert_classifier: Any, bert_tokenizer: Any, tmp_path: Path
) -> None:
    bert_classifier.encoder.save_pretrained(tmp_path)
    bert_tokenizer.save_pretrained(tmp_path)
    classifier, _ = RiskClassifier.from_encoder(
        str(tmp_path), ("a", "b"), max_tokens=40, dropout=0.3, attention_dropout=0.2
    )
    assert classifier.encoder.config.hidden_dropout_prob == 0.3
    assert classifier.encoder.encoder.layer[0].attention.self.dropout.p == 0.2
    weights = classifier.get_input_embeddings().weight
    assert torch.equal(weights, bert_classifier.get_input_embeddings().weight)
    with pytest.raises(ConfigError, match="80 positions"):
        RiskClassifier.from_encoder(str(tmp_path), ("a", "b"), max_tokens=81)


@pytest.mark.parametrize(
    "model_type",
    ["bert", "electra", "distilbert", "deberta-v2", "roberta", "xlm-roberta", "camembert", "mpnet", "data2vec-text"],
)
@pytest.mark.parametrize("pad_token_id", [0, 1, 3])
def test_an_encoder_reads_as_many_tokens_as_are_counted_and_no_more(model_type: str, pad_token_id: int) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = AutoConfig.for_model(
        model_type, vocab_size=9, max_position_embeddings=22, pad_token_id=pad_token_id, hidden_dim=16, **sizes
    )
    encoder = AutoModel.from_config(config).eval()
    n_positions = count_positions(config)
    encoder(input_ids=torch.full((1, n_positions), 5))
    with pytest.raises((IndexError, RuntimeError)):
        encoder(input_ids=torch.full((1, n_positions + 1), 5))


def test_roberta_keeps_positions_back_for_padding(roberta_classifier: Any) -> None:
    assert count_positions(roberta_classifier.encoder.config) == 78
