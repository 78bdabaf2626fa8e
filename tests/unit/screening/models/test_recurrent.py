"""GRU and RNN stand behind the encoders' interface."""

from pathlib import Path

import pytest
import torch

from screening.models.classifier import RiskClassifier
from screening.models.recurrent import RecurrentConfig, RecurrentEncoder


@pytest.fixture(params=["gru", "rnn"])
def encoder(request: pytest.FixtureRequest) -> RecurrentEncoder:
    torch.manual_seed(0)
    config = RecurrentConfig(cell=request.param, vocab_size=50, embedding_size=6, hidden_size=8)
    return RecurrentEncoder(config).eval()


def test_padding_on_the_right_changes_no_state_of_a_real_token(encoder: RecurrentEncoder) -> None:
    ids = torch.randint(1, 50, (2, 5))
    padded = torch.cat([ids, torch.zeros(2, 3, dtype=torch.long)], dim=1)
    alone, together = (encoder(input_ids=tokens).last_hidden_state for tokens in (ids, padded))
    torch.testing.assert_close(alone, together[:, :5])


def test_states_equal_the_recurrence_written_out() -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(RecurrentConfig(cell="rnn", vocab_size=9, embedding_size=3, hidden_size=4)).eval()
    cell, state = encoder.cell, torch.zeros(4)
    ids = torch.tensor([3, 1, 7])
    for i, vector in enumerate(encoder.embeddings(ids)):
        state = torch.tanh(cell.weight_ih_l0 @ vector + cell.bias_ih_l0 + cell.weight_hh_l0 @ state + cell.bias_hh_l0)
        torch.testing.assert_close(encoder(input_ids=ids[None]).last_hidden_state[0, i], state)


def test_gradient_reaches_word_vectors_in_evaluation_mode(encoder: RecurrentEncoder) -> None:
    vectors = encoder.embeddings(torch.tensor([[3, 4, 5]])).detach().requires_grad_()
    encoder(inputs_embeds=vectors).last_hidden_state.sum().backward()
    assert vectors.grad is not None
    assert (vectors.grad.abs().sum(dim=-1) > 0).all()


def test_recurrent_classifier_takes_the_embedded_tokenizer_and_saves_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier, tokenizer = RiskClassifier.from_encoder("gru", ("a", "b"), max_tokens=16, dropout=0.3)
    assert classifier.encoder.config.vocab_size == len(tokenizer)
    assert classifier.encoder.dropout.p == 0.3
    classifier.eval().save_pretrained(tmp_path)
    loaded = RiskClassifier.from_pretrained(tmp_path).eval()
    ids = torch.tensor([tokenizer("so tired today")["input_ids"]])
    torch.testing.assert_close(loaded(input_ids=ids).logits, classifier(input_ids=ids).logits)
