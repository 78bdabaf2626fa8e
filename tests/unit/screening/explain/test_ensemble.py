"""What the word model of an ensemble adds is shared out with the rest: exact where it can be written down."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from screening.bundle import Bundle, load_bundle
from screening.explain.aggregation import WordWeight, find_words
from screening.explain.attribution import AttributionSettings, attribute_tokens
from screening.explain.explanations import explain_posts, weigh_words
from screening.explain.heads import build_score
from screening.explain.occlusion import occlude_sentences
from screening.explain.paths import build_baseline
from screening.explain.preview import preview_posts, preview_tokens
from screening.explain.word_part import WordPart
from screening.inference.windows import split_into_windows
from screening.models.baseline import TfidfBaseline, locate_words
from screening.scoring import Screener

LONG = "i feel so tired today my dog is happy no sleep " * 4
TEXTS = [LONG, "so tired", "I, so can't... tired 😀", "zzzz qqqq", "", LONG.replace("dog", "dog today")]
IDS = [f"p{i}" for i in range(len(TEXTS))]
MAX_TOKENS = 20
BUILDERS = [explain_posts, preview_posts, occlude_sentences]
BuildWords = Callable[..., TfidfBaseline]


def _difference(output: Any) -> torch.Tensor:
    return output.logits[:, 0] - output.logits[:, 1]


def _product(output: Any) -> torch.Tensor:
    return output.logits[:, 0] * output.logits[:, 1]


@pytest.fixture
def words(build_word_model: BuildWords) -> WordPart:
    return WordPart(build_word_model({"tired": (2.0, 0.0), "so tired": (1.0, -1.0)}), 0.5)


@pytest.fixture(scope="module")
def folder(
    save_small_bundle: Callable[..., Path], fitted_words: TfidfBaseline, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    reading = {"max_tokens": MAX_TOKENS, "long_posts": "windows"}
    return save_small_bundle(
        tmp_path_factory.mktemp("ensemble") / "bundle", words=fitted_words, words_weight=1.5, **reading
    )


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder)


def test_a_word_gets_its_term_whole_and_half_of_each_pair(
    mean_of_words: Any, bert_tokenizer: Any, words: WordPart
) -> None:
    """Two known terms of equal rarity: each stands in the post with the square root of a half."""
    for find in (attribute_tokens, preview_tokens):
        (found,) = find(mean_of_words, bert_tokenizer, ["so tired dog"], _difference, max_tokens=60, words=words)
        (alone,) = find(mean_of_words, bert_tokenizer, ["so tired dog"], _difference, max_tokens=60)
        expected = [0.5 * np.sqrt(0.5) * part for part in (2 / 2, 2 + 2 / 2, 0)]  # differences of coefficients
        assert [(word.start, word.end) for word in found.by_words] == [(0, 2), (3, 8), (9, 12)]
        np.testing.assert_allclose([word.weight for word in found.by_words], expected, atol=1e-6)  # float32
        np.testing.assert_allclose(found.weights, alone.weights, atol=1e-6)
        assert alone.by_words == ()


@pytest.mark.parametrize("budget", [1, 100_000])
def test_a_product_of_two_logits_is_shared_out_exactly(
    mean_of_words: Any, bert_tokenizer: Any, words: WordPart, budget: int
) -> None:
    """Each factor moves on a straight line: a share is its part of one factor times the middle of the other."""
    settings = AttributionSettings(max_tokens_per_batch=budget)
    found = attribute_tokens(
        mean_of_words, bert_tokenizer, TEXTS, _product, max_tokens=MAX_TOKENS, settings=settings, words=words
    )
    for text, post in zip(TEXTS, found, strict=True):
        tokens, masked = _token_parts(mean_of_words, bert_tokenizer, text)
        shares = words.share_out(text).logits
        start = masked + words.intercept
        middle = start + (tokens.sum(axis=0) + shares.sum(axis=0)) / 2
        np.testing.assert_allclose(post.weights, tokens @ middle[::-1], atol=1e-5)  # float32
        np.testing.assert_allclose([word.weight for word in post.by_words], shares @ middle[::-1], atol=1e-5)
        assert post.baseline_score == pytest.approx(start.prod(), abs=1e-5)
        assert post.is_reliable or post.unreliable_because == "no_change"


def _token_parts(model: Any, tokenizer: Any, text: str) -> tuple[np.ndarray, np.ndarray]:
    """What each token of each window adds to both logits of the post, and the logits of the masked post."""
    windows = split_into_windows(tokenizer, [text], MAX_TOKENS)
    parts, masked = [], np.zeros(2)
    for ids, share in zip(windows.token_ids, windows.weights, strict=True):
        tokens = torch.tensor(ids)
        blank = model.embedding(build_baseline(tokens, tokenizer)).detach()
        parts.append(share * ((model.embedding(tokens) - blank) @ model.linear.weight.T).detach().numpy() / len(ids))
        masked += share * model.linear(blank.mean(dim=0)).detach().numpy()
    return np.concatenate(parts), masked


@pytest.mark.parametrize("head", ["class:suicidewatch", "class:any_risk"])
def test_the_explained_score_is_the_one_a_threshold_is_compared_with_and_all_weights_sum_to_its_change(
    folder: Path, bundle: Bundle, head: str
) -> None:
    manifest, posts = bundle.manifest, {i: text for i, text in zip(IDS, TEXTS, strict=True) if text}
    score = build_score(head, manifest.taxonomy, manifest.temperature.temperature)
    settings = AttributionSettings(delta_limit=0.01, max_steps=972)
    found = attribute_tokens(
        bundle.classifier, bundle.tokenizer, list(posts.values()), score, max_tokens=MAX_TOKENS, settings=settings,
        words=WordPart(bundle.words, manifest.words_weight),  # type: ignore[arg-type]  # the bundle holds one
    )  # fmt: skip
    table = Screener.load(folder).score(list(posts.values()), list(posts))
    risks = table[f"risk_{head.removeprefix('class:')}"].to_numpy(dtype=float)
    np.testing.assert_allclose([post.score for post in found], np.log(risks / (1 - risks)), atol=1e-3)  # of float32
    spans = explain_posts(bundle, TEXTS, IDS, head=head, settings=settings)
    assert spans["is_reliable"].all()
    for post_id, post in zip(posts, found, strict=True):
        change = post.score - post.baseline_score
        total = spans.loc[spans["post_id"] == post_id, "weight"].sum()
        assert total == pytest.approx(change, abs=0.01 * abs(change) + 1e-6)


def test_the_sum_is_checked_as_a_whole(bundle: Bundle) -> None:
    settings = AttributionSettings(delta_limit=1e-6, first_steps=2, max_steps=2)
    words = WordPart(bundle.words, 1.5)  # type: ignore[arg-type]  # the bundle holds one
    score = build_score("class:suicidewatch", bundle.manifest.taxonomy)
    (found,) = attribute_tokens(
        bundle.classifier, bundle.tokenizer, TEXTS[:1], score, max_tokens=MAX_TOKENS, settings=settings, words=words
    )
    change = found.score - found.baseline_score
    off = abs(found.weights.sum() + sum(word.weight for word in found.by_words) - change) / abs(change)
    assert found.delta_relative == pytest.approx(off)
    assert (found.is_reliable, found.unreliable_because) == (False, "delta")


def test_added_steps_come_to_what_all_of_them_at_once_would(bundle: Bundle) -> None:
    grown, at_once = (
        explain_posts(
            bundle, TEXTS, IDS, settings=AttributionSettings(delta_limit=-1.0, first_steps=first, max_steps=18)
        )
        for first in (2, 18)
    )
    np.testing.assert_allclose(grown["weight"], at_once["weight"], atol=1e-5)  # float32
    assert set(grown["n_steps"]) == {18}


def test_every_span_is_a_word_of_its_post(bundle: Bundle) -> None:
    table = explain_posts(bundle, TEXTS, IDS)
    for post_id, text in zip(IDS, TEXTS, strict=True):
        part = table[table["post_id"] == post_id]
        assert list(zip(part["start"], part["end"], strict=True)) == find_words(text)


def test_words_behind_a_cut_have_what_the_word_model_gives_them(
    mean_of_words: Any, bert_tokenizer: Any, build_word_model: BuildWords
) -> None:
    text = "my dog " * 20 + "a tired 😀 happy"
    words = WordPart(build_word_model({"tired": (3.0, 1.0)}), 0.5)
    (found,) = attribute_tokens(
        mean_of_words, bert_tokenizer, [text], _difference, max_tokens=MAX_TOKENS, long_posts="cut", words=words
    )
    merged = weigh_words(bert_tokenizer, text, found, MAX_TOKENS, "cut")
    assert [text[word.start : word.end] for word in merged] == [*("my dog " * 20).split(), "tired", "happy"]
    tired = text.index("tired")
    assert merged[-2:] == [WordWeight(tired, tired + 5, 1.0), WordWeight(len(text) - 5, len(text), 0.0)]
    assert found.is_reliable
    assert found.score - found.baseline_score == pytest.approx(found.weights.sum() + 1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["zzzz qqqq", "a 😀", ""])
def test_a_post_without_a_known_term_is_explained_by_its_tokens_alone(
    mean_of_words: Any, bert_tokenizer: Any, words: WordPart, text: str
) -> None:
    (found,) = attribute_tokens(mean_of_words, bert_tokenizer, [text], _difference, max_tokens=60, words=words)
    (alone,) = attribute_tokens(mean_of_words, bert_tokenizer, [text], _difference, max_tokens=60)
    assert [(word.start, word.end) for word in found.by_words] == locate_words(text)
    assert not any(word.weight for word in found.by_words)
    np.testing.assert_allclose(found.weights, alone.weights, atol=1e-6)  # float32
    assert found.score - alone.score == pytest.approx(0.5 * (0.25 + 0.5), abs=1e-6)  # the intercept is in the score
    assert found.is_reliable


@pytest.mark.parametrize("build", BUILDERS)
def test_without_a_weight_everything_is_as_without_a_word_model(bundle: Bundle, build: Any) -> None:
    plain = replace(bundle, words=None)
    weightless = replace(bundle, manifest=bundle.manifest.model_copy(update={"words_weight": 0.0}))
    expected = build(plain, TEXTS, IDS)
    pd.testing.assert_frame_equal(build(weightless, TEXTS, IDS), expected, check_exact=True)
    assert not build(bundle, TEXTS, IDS).equals(expected)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("head", ["valence", "intensity"])
def test_the_word_model_adds_nothing_to_valence_and_intensity(bundle: Bundle, build: Any, head: str) -> None:
    expected = build(replace(bundle, words=None), TEXTS, IDS, head=head)
    pd.testing.assert_frame_equal(build(bundle, TEXTS, IDS, head=head), expected, check_exact=True)
