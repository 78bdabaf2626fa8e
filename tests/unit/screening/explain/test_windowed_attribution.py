"""A post read in several windows is one path: weights known in closed form, and by a second hand."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from screening.explain.aggregation import find_words
from screening.explain.attribution import Attribution, AttributionSettings, attribute_tokens
from screening.explain.explanations import weigh_words
from screening.explain.heads import build_score
from screening.explain.paths import average_windows, build_baseline
from screening.explain.preview import preview_tokens
from screening.inference.windows import split_into_windows
from screening.taxonomy import load_taxonomy

LONG = "i feel so tired today my dog is happy no sleep " * 4
TEXTS = [LONG, "so tired", "my dog is happy today no sleep tonight " * 5, LONG.replace("dog", "dog today")]
MAX_TOKENS = 20
# One post at a time, step by step; several posts and steps in one pass.
BUDGETS = [1, 100_000]


def _product(output: Any) -> torch.Tensor:
    return output.logits[:, 0] * output.logits[:, 1]


def _difference(output: Any) -> torch.Tensor:
    return output.logits[:, 0] - output.logits[:, 1]


def _token_parts(model: Any, tokenizer: Any, text: str) -> tuple[np.ndarray, np.ndarray]:
    """What each token of each window adds to both logits of the post, and the logits of the masked post."""
    windows = split_into_windows(tokenizer, [text], MAX_TOKENS)
    parts, masked = [], np.zeros(2)
    for ids, share in zip(windows.token_ids, windows.weights, strict=True):
        tokens = torch.tensor(ids)
        baseline = build_baseline(tokens, tokenizer)
        with torch.no_grad():
            change = (model.embedding(tokens) - model.embedding(baseline)) @ model.linear.weight.T / len(ids)
            masked += share * model.linear(model.embedding(baseline).mean(dim=0)).numpy()
        parts.append(share * change.numpy())
    return np.concatenate(parts), masked


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_linear_score_over_windows_is_shared_out_exactly(
    mean_of_words: Any, bert_tokenizer: Any, budget: int
) -> None:
    settings = AttributionSettings(max_tokens_per_batch=budget)
    found = attribute_tokens(
        mean_of_words, bert_tokenizer, TEXTS, _difference, max_tokens=MAX_TOKENS, settings=settings
    )
    for text, post in zip(TEXTS, found, strict=True):
        parts, _ = _token_parts(mean_of_words, bert_tokenizer, text)
        np.testing.assert_allclose(post.weights, parts @ [1, -1], atol=1e-6)  # float32
        assert post.unreliable_because == ""


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_product_of_two_logits_is_shared_out_exactly(mean_of_words: Any, bert_tokenizer: Any, budget: int) -> None:
    """Each factor moves on a straight line, so a token's share is its part of one times the middle of the other."""
    settings = AttributionSettings(max_tokens_per_batch=budget)
    found = attribute_tokens(mean_of_words, bert_tokenizer, TEXTS, _product, max_tokens=MAX_TOKENS, settings=settings)
    for text, post in zip(TEXTS, found, strict=True):
        parts, masked = _token_parts(mean_of_words, bert_tokenizer, text)
        middle = masked + parts.sum(axis=0) / 2
        np.testing.assert_allclose(post.weights, parts @ middle[::-1], atol=1e-5)  # float32


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_weights_are_those_of_integrated_gradients_written_by_hand(
    architecture: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(f"{architecture}_classifier")
    tokenizer = request.getfixturevalue(f"{architecture}_tokenizer")
    score, n_steps = build_score("class:suicidewatch", load_taxonomy("mh5")), 6
    settings = AttributionSettings(first_steps=n_steps, max_steps=n_steps)
    found = attribute_tokens(model, tokenizer, TEXTS, score, max_tokens=MAX_TOKENS, settings=settings)
    for text, post in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(post.weights, _integrate(model, tokenizer, text, score, n_steps), atol=2e-4)


def _integrate(model: Any, tokenizer: Any, text: str, score: Any, n_steps: int) -> np.ndarray:
    """Window by window, without padding, one point of the path at a time."""
    windows = split_into_windows(tokenizer, [text], MAX_TOKENS)
    embed = model.get_input_embeddings()
    ends = [torch.tensor([ids]) for ids in windows.token_ids]
    starts = [build_baseline(ids, tokenizer) for ids in ends]
    totals = [np.zeros(ids.shape[1]) for ids in ends]
    for alpha in (np.arange(n_steps) + 0.5) / n_steps:
        points = [
            (embed(a) + alpha * (embed(b) - embed(a))).detach().requires_grad_()
            for a, b in zip(starts, ends, strict=True)
        ]
        outputs = [model(inputs_embeds=point, attention_mask=torch.ones(point.shape[:2])) for point in points]
        logits = sum(share * output.logits for share, output in zip(windows.weights, outputs, strict=True))
        gradients = torch.autograd.grad(score(type("Mean", (), {"logits": logits})).sum(), points)
        for i, gradient in enumerate(gradients):
            along = ((embed(ends[i]) - embed(starts[i])) * gradient).sum(dim=-1)[0]
            totals[i] += along.detach().numpy() / n_steps
    return np.concatenate(totals)


def test_the_score_of_a_long_post_is_that_of_the_mean_of_its_windows(bert_classifier: Any, bert_tokenizer: Any) -> None:
    from screening.inference.forward import compute_logits

    score = build_score("class:any_risk", load_taxonomy("mh5"), temperature=2.0)
    found = attribute_tokens(bert_classifier, bert_tokenizer, TEXTS, score, max_tokens=MAX_TOKENS)
    outputs = compute_logits(bert_classifier, bert_tokenizer, TEXTS, max_tokens=MAX_TOKENS, precision="fp32")
    logits = type("Output", (), {"logits": torch.from_numpy(outputs.logits)})
    np.testing.assert_allclose([post.score for post in found], score(logits).numpy(), atol=1e-4)  # float32


def test_averaging_takes_each_posts_own_windows() -> None:
    logits = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 1.0], [5.0, 3.0]])
    output = type("Output", (), {"logits": logits, "valence": logits[:, 0], "intensity": logits[:, 1]})
    mean = average_windows(output, torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    assert mean.logits.tolist() == [[2.5, 0.0], [5.0, 2.0]]
    assert mean.valence.tolist() == [2.5, 5.0]
    assert mean.intensity.tolist() == [0.0, 2.0]


def test_a_post_that_scores_like_its_masked_self_says_so(mean_of_words: Any, bert_tokenizer: Any) -> None:
    """Rounding is all that is left to share out, and no number of steps makes it add up."""
    settings = AttributionSettings(delta_limit=0.0, first_steps=2, max_steps=6)
    (found,) = attribute_tokens(
        mean_of_words, bert_tokenizer, [LONG], lambda output: 1e-6 * _product(output), max_tokens=MAX_TOKENS,
        settings=settings,
    )  # fmt: skip
    assert (found.unreliable_because, found.is_reliable, found.n_steps) == ("no_change", False, 6)


def test_a_preview_of_a_linear_score_is_the_product_of_gradient_and_embedding(
    mean_of_words: Any, bert_tokenizer: Any
) -> None:
    found = preview_tokens(mean_of_words, bert_tokenizer, TEXTS, _difference, max_tokens=MAX_TOKENS)
    direction = (mean_of_words.linear.weight[0] - mean_of_words.linear.weight[1]).detach()
    for text, post in zip(TEXTS, found, strict=True):
        windows = split_into_windows(bert_tokenizer, [text], MAX_TOKENS)
        expected = []
        for ids, share in zip(windows.token_ids, windows.weights, strict=True):
            parts = share * mean_of_words.embedding(torch.tensor(ids)).detach() @ direction / len(ids)
            expected += [0.0, *parts[1:-1].tolist(), 0.0]  # special tokens are no words
        np.testing.assert_allclose(post.weights, expected, atol=1e-6)  # float32


def test_a_post_of_many_windows_is_read_some_windows_at_a_time(bert_classifier: Any, bert_tokenizer: Any) -> None:
    read: list[int] = []
    hook = bert_classifier.register_forward_pre_hook(
        lambda _, __, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    score = build_score("class:suicidewatch", load_taxonomy("mh5"), 1.0)
    found = {}
    try:
        for budget in (48, 100_000):
            read.clear()
            settings = AttributionSettings(max_tokens_per_batch=budget)
            (post,) = attribute_tokens(
                bert_classifier, bert_tokenizer, [LONG * 3], score, max_tokens=MAX_TOKENS, settings=settings
            )
            (preview,) = preview_tokens(
                bert_classifier, bert_tokenizer, [LONG * 3], score, max_tokens=MAX_TOKENS, max_tokens_per_batch=budget
            )
            found[budget] = (max(read), post.weights, preview.weights)
    finally:
        hook.remove()
    few, many = found[48], found[100_000]
    assert few[0] <= 48 < many[0]
    for one, other in zip(few[1:], many[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)  # float32: sums in another order
        assert np.abs(one).max() > 1e-5


@given(
    text=st.text(alphabet="ab ."),
    n=st.integers(0, 40),
    picture=st.sampled_from(["", "👩🏽‍🚒", "e\u0301", "שלום", "😀"]),
)
def test_words_of_all_windows_sum_to_the_tokens_and_lie_in_the_post(
    roberta_tokenizer: Any, text: str, n: int, picture: str
) -> None:
    post = f"{text} {picture} " * n
    windows = split_into_windows(roberta_tokenizer, [post], MAX_TOKENS)
    weights = np.concatenate([[0.0, *np.arange(1.0, len(ids) - 1), 0.0] for ids in windows.token_ids])
    tokens = Attribution(weights, 1.0, 0.0, 0.0, 12, "")
    words = weigh_words(roberta_tokenizer, post, tokens, MAX_TOKENS)
    assert [(word.start, word.end) for word in words] == find_words(post)
    if words:
        assert sum(word.weight for word in words) == pytest.approx(weights.sum())
