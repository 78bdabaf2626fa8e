"""To the word model of an ensemble, masked words are gone, and nothing takes their place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from screening.bundle import Bundle, load_bundle
from screening.calibration.temperature import TemperatureScaling
from screening.explain.aggregation import find_words
from screening.explain.attribution import attribute_tokens
from screening.explain.explanations import explain_posts, weigh_words
from screening.explain.faithfulness import compute_faithfulness
from screening.explain.leave_one_out import compute_leave_one_out
from screening.explain.masking import MaskedScorer
from screening.explain.occlusion import occlude_sentences
from screening.explain.sanity import SETTINGS, STAGES, compute_randomised, randomise_weights, randomise_words
from screening.explain.word_part import WordPart
from screening.models.baseline import TfidfBaseline
from screening.taxonomy import Label, RiskTarget, Taxonomy

TEXT = "i feel so tired today my dog is happy no"
IDS = ["a", "b"]
BuildWords = Callable[..., TfidfBaseline]


def _difference(output: Any) -> torch.Tensor:
    return output.logits[:, 0] - output.logits[:, 1]


def choose(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


@pytest.fixture
def scorer(mean_of_words: Any, bert_tokenizer: Any, build_word_model: BuildWords) -> MaskedScorer:
    """One known term, which stands with 1 in every post that has it: this score is linear in the words."""
    words = WordPart(build_word_model({"tired": (3.0, 1.0)}), 0.5)
    return MaskedScorer(mean_of_words, bert_tokenizer, _difference, max_tokens=60, words=words)


@pytest.fixture(scope="module")
def bundle(
    save_small_bundle: Callable[..., Path], fitted_words: TfidfBaseline, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    folder = tmp_path_factory.mktemp("ensemble") / "bundle"
    return load_bundle(save_small_bundle(folder, words=fitted_words, words_weight=3.0))


def test_a_masked_word_takes_its_term_and_both_its_pairs_along(scorer: MaskedScorer, build_word_model: Any) -> None:
    terms = {"so": (1.0, 0.0), "tired": (0.0, 1.0), "feel so": (5.0, 0.0), "so tired": (7.0, 0.0), "feel tired": (9, 9)}
    words = WordPart(build_word_model(terms, intercept=(0.5, -0.5)), 2.0)
    versions = replace(scorer, words=words).list_versions("feel so tired", find_words("feel so tired"), [choose(1)])
    assert [ids.count(scorer.tokenizer.mask_token_id) for version in versions for ids in version.windows] == [0, 1]
    assert versions[1].word_logits == pytest.approx((1.0, 1.0))  # the intercept, and tired alone: twice (0, 1)
    assert versions[0].word_logits != versions[1].word_logits


def test_the_mask_token_is_no_word(scorer: MaskedScorer, build_word_model: BuildWords) -> None:
    words = WordPart(build_word_model({"mask": (9.0, 0.0), "mask mask": (9.0, 0.0), "so mask": (9.0, 0.0)}), 1.0)
    versions = replace(scorer, words=words).list_versions("so tired dog", find_words("so tired dog"), [choose(1, 2)])
    assert versions[1].windows[0].count(scorer.tokenizer.mask_token_id) == 2
    assert {version.word_logits for version in versions} == {(0.25, -0.5)}


def test_each_word_alone_takes_its_weight_away_where_the_score_is_linear(scorer: MaskedScorer) -> None:
    (found,) = attribute_tokens(
        scorer.classifier, scorer.tokenizer, [TEXT], _difference, max_tokens=60, words=scorer.words
    )
    words = weigh_words(scorer.tokenizer, TEXT, found, 60)
    scores = scorer.compute_scores(
        scorer.list_versions(TEXT, [w.span for w in words], (choose(row) for row in range(len(words))))
    )
    assert scores[0] == pytest.approx(found.score, abs=1e-5)  # float32
    np.testing.assert_allclose(scores[0] - scores[1:], [word.weight for word in words], atol=1e-5)
    table = compute_leave_one_out(scorer, [TEXT], [words], rng=np.random.default_rng(0))
    assert table["rank_correlation"][0] == pytest.approx(1)


def test_a_post_with_every_word_masked_is_the_baseline_of_its_attributions(bundle: Bundle) -> None:
    from screening.explain.heads import build_score

    score, words = build_score("class:any_risk", bundle.manifest.taxonomy), WordPart(bundle.words, 3.0)  # type: ignore[arg-type]  # it holds one
    (found,) = attribute_tokens(bundle.classifier, bundle.tokenizer, [TEXT], score, max_tokens=40, words=words)
    scorer = MaskedScorer(bundle.classifier, bundle.tokenizer, score, 40, words=words)
    spans = find_words(TEXT)
    scores = scorer.compute_scores(scorer.list_versions(TEXT, spans, [np.arange(len(spans))]))
    np.testing.assert_allclose(scores, [found.score, found.baseline_score], atol=1e-4)  # float32


def test_marked_words_fall_by_their_weights_and_random_ones_do_not(scorer: MaskedScorer) -> None:
    (found,) = attribute_tokens(
        scorer.classifier, scorer.tokenizer, [TEXT], _difference, max_tokens=60, words=scorer.words
    )
    words = weigh_words(scorer.tokenizer, TEXT, found, 60)
    table = compute_faithfulness(scorer, [TEXT], [words], rng=np.random.default_rng(0))
    weights = sorted((word.weight for word in words), reverse=True)
    assert table["comprehensiveness_50"][0] == pytest.approx(sum(weights[:5]), abs=1e-5)
    assert table["sufficiency_50"][0] == pytest.approx(sum(weights[5:]), abs=1e-5)
    assert table["comprehensiveness_aopc"][0] > table["comprehensiveness_aopc_random"][0]


def test_no_versions_have_no_scores(scorer: MaskedScorer) -> None:
    assert scorer.compute_scores([]).shape == (0,)
    assert scorer.compute_scores(scorer.list_versions("", [], [])).shape == (1,)


@pytest.mark.parametrize(("long_posts", "n_sentences"), [("windows", 12), ("cut", 12)])
def test_a_sentence_weighs_what_its_words_weigh_where_the_score_is_linear(
    scorer: MaskedScorer, long_posts: str, n_sentences: int
) -> None:
    """Sentences behind a cut count as far as the word model reads them."""
    labels = tuple(Label(name=name, risk=name == "a", valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="a", labels=("a",), triage="review", description="the first")
    manifest = SimpleNamespace(
        taxonomy=Taxonomy(name="two", description="", label_meaning="", labels=labels, targets=(target,)),
        temperature=TemperatureScaling(temperature=1.5, n_samples=100),
        max_tokens=20,
        long_posts=long_posts,
        words_weight=0.5,
    )
    text = "My dog is happy. No sleep tonight! " * 5 + "I feel tired. So 😀"
    bundle = SimpleNamespace(
        classifier=scorer.classifier, tokenizer=scorer.tokenizer, manifest=manifest, version="0" * 12,
        words=scorer.words.model,  # type: ignore[union-attr]  # the scorer has one
    )  # fmt: skip
    sentences, words = occlude_sentences(bundle, [text], ["p"]), explain_posts(bundle, [text], ["p"])
    for row in sentences.itertuples():
        inside = (words["start"] >= row.start) & (words["end"] <= row.end)
        assert row.weight == pytest.approx(words.loc[inside, "weight"].sum(), abs=1e-5)  # float32
    assert len(sentences) == n_sentences
    assert sentences["weight"].iloc[-2] >= 0.5 * (3 - 1) / 1.5 - 0.5  # the sentence of the one known term


def test_random_coefficients_are_repeatable_and_of_the_spread_of_the_trained(fitted_words: TfidfBaseline) -> None:
    first, again, other = (randomise_words(fitted_words, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.coefficients, again.coefficients)
    assert not np.isclose(first.coefficients, other.coefficients).any()
    assert not np.isclose(first.coefficients, fitted_words.coefficients).any()
    assert first.coefficients.std() == pytest.approx(fitted_words.coefficients.std(), rel=0.2)  # of some hundred draws
    np.testing.assert_array_equal(first.term_digests, fitted_words.term_digests)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_explains_a_random_word_model_too(bundle: Bundle, stage: str) -> None:
    """Were the explained models those of a stage themselves, that stage would find exactly their order."""
    texts = [TEXT, "no sleep tonight my dog feel so so tired"]
    assert bundle.words is not None
    words = randomise_words(bundle.words, 7)
    itself = replace(bundle, classifier=randomise_weights(bundle.classifier, stage, 7), words=words)
    halfway = replace(itself, words=bundle.words)
    by_stage = [
        compute_randomised(bundle, texts, explain_posts(other, texts, IDS, settings=SETTINGS), seed=7)
        .groupby("stage")["rank_correlation"]
        .mean()[stage]
        for other in (itself, halfway)
    ]
    assert by_stage[0] == pytest.approx(1)
    assert by_stage[1] < 0.999
