"""Which tokens a loss depends on, on classifiers where that is known, and what detection trains."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from screening.models.detection import DETECTION, DetectionHead
from screening.objectives.gathering import NOT_COUNTED
from screening.objectives.ptd import PerTokenDetection
from screening.training.perturbation import TokenPerturber, compute_saliency

IDS = torch.tensor([[2, 10, 11, 12, 13, 3, 0, 0], [2, 14, 3, 0, 0, 0, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
SPECIAL = (0, 1, 2, 3, 4)


class WordSum(nn.Module):
    """A score that is the sum of one number per word: the number is the word's saliency."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 2)
        self.dropout = nn.Dropout(0.5)
        with torch.no_grad():
            self.words.weight.zero_()
            self.words.weight[:, 0] = torch.arange(20.0)
            self.words.weight[11, 0] = -15.0  # the sign does not count

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.dropout(self.words(input_ids))[..., 0].sum()


def make_perturber(fraction: float = 0.5) -> TokenPerturber:
    counts = torch.ones(45, dtype=torch.long)
    counts[list(SPECIAL)] = 0
    return TokenPerturber(fraction, counts, SPECIAL)


def test_saliency_is_the_length_of_the_loss_along_each_word_without_dropout() -> None:
    model = WordSum().train()
    saliency = compute_saliency(model, BATCH, lambda score: score)
    assert saliency[0].tolist() == [2, 10, 15, 12, 13, 3, 0, 0]
    assert model.training
    assert model.words.weight.grad is None
    assert not model.words._forward_hooks


def test_loss_that_depends_on_no_word_has_no_saliency() -> None:
    saliency = compute_saliency(WordSum(), BATCH, lambda score: torch.ones(()))
    assert torch.equal(saliency, torch.zeros(IDS.shape))


def test_saliency_can_be_computed_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert compute_saliency(WordSum().eval(), BATCH, lambda score: score)[1, 1] == 14


def test_most_salient_own_tokens_are_replaced_and_all_others_stay() -> None:
    saliency = compute_saliency(WordSum(), BATCH, lambda score: score)
    ids, targets = make_perturber()(BATCH, saliency, torch.Generator().manual_seed(0))
    no = NOT_COUNTED
    assert targets.tolist() == [[no, 0, 1, 0, 1, no, no, no], [no, 1, no, no, no, no, no, no]]
    assert torch.equal(ids != IDS, targets == 1)
    assert not torch.isin(ids[targets == 1], torch.tensor(SPECIAL)).any()


def test_tokens_are_counted_without_special_ones(bert_tokenizer: Any) -> None:
    perturber = TokenPerturber.from_posts(0.15, [[2, 10, 10, 3], [2, 11, 1, 3]], bert_tokenizer)
    assert perturber.counts.sum() == 3
    assert perturber.counts[[10, 11]].tolist() == [2, 1]
    assert perturber.counts.shape == (len(bert_tokenizer),)


@pytest.mark.parametrize("in_autocast", [False, True])
def test_gradient_of_detection_reaches_encoder_and_head_and_no_class_head(
    in_autocast: bool, build_classifier: Any
) -> None:
    classifier = build_classifier("bert", 45).train()
    classifier.training_parts[DETECTION] = DetectionHead(32)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=in_autocast):
        saliency = compute_saliency(classifier, BATCH, lambda outputs: outputs.logits.float().logsumexp(1).sum())
        assert (saliency[IDS != 0] > 0).all()
        ids, targets = make_perturber()(BATCH, saliency)
        outputs = classifier(**BATCH, perturbed_ids=ids)
    outputs.detection_targets = targets
    loss = PerTokenDetection()(outputs, torch.zeros(2))
    loss.backward()
    assert outputs.detection_logits.shape == IDS.shape
    assert all(weight.grad is not None for weight in classifier.training_parts[DETECTION].parameters())
    word_vectors = classifier.get_input_embeddings().weight.grad
    assert word_vectors is not None
    assert word_vectors[ids[targets == 1]].abs().sum() > 0
    assert classifier.class_head.weight.grad is None


@pytest.mark.parametrize("n_own", [0, 1])
def test_posts_of_no_or_one_token_are_finite(n_own: int, build_classifier: Any) -> None:
    classifier = build_classifier("bert", 45)
    classifier.training_parts[DETECTION] = DetectionHead(32)
    token_ids = torch.tensor([[2, *[10] * n_own, 3]])
    batch = {"input_ids": token_ids, "attention_mask": torch.ones_like(token_ids)}
    saliency = compute_saliency(classifier, batch, lambda outputs: outputs.logits[:, 0].sum())
    ids, targets = make_perturber(0.15)(batch, saliency)
    outputs = classifier(**batch, perturbed_ids=ids)
    outputs.detection_targets = targets
    loss = PerTokenDetection()(outputs, torch.zeros(1))
    assert torch.isfinite(loss)
    assert (targets == 1).sum() == n_own


def test_recurrent_encoders_have_a_saliency_too() -> None:
    from screening.models.recurrent import RecurrentConfig, RecurrentEncoder

    encoder = RecurrentEncoder(RecurrentConfig(vocab_size=20, embedding_size=4, hidden_size=6))
    saliency = compute_saliency(encoder, BATCH, lambda outputs: outputs.last_hidden_state.square().sum())
    assert (saliency[IDS != 0] > 0).all()
