"""Random weights: drawn from the output down, repeatable, and told apart from the trained ones by explanations."""

import copy
import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch

from screening.bundle import Bundle, load_bundle
from screening.explain.explanations import explain_posts
from screening.explain.sanity import SETTINGS, STAGES, compute_randomised, randomise_weights

TEXTS = ["so tired today my dog is happy", "no sleep and nobody calls today", "tired"]
IDS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def bundle(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(save_small_bundle(tmp_path_factory.mktemp("sanity") / "bundle"))


def find_changed(bundle: Bundle, stage: str) -> set[str]:
    randomised = dict(randomise_weights(bundle.classifier, stage, 3).named_parameters())
    trained = bundle.classifier.named_parameters()
    return {name for name, parameter in trained if not torch.equal(parameter, randomised[name])}


def test_each_stage_draws_what_the_one_before_did_and_more(bundle: Bundle) -> None:
    stages = [find_changed(bundle, stage) for stage in STAGES]
    for before, after in pairwise(stages):
        assert before < after
    assert all("head" in name for name in stages[0])
    layers = {name.split(".layer.")[1].split(".")[0] for name in stages[1] if ".layer." in name}
    n_layers = bundle.classifier.encoder.config.num_hidden_layers
    assert layers == {str(i) for i in range(n_layers // 2, n_layers)}
    assert not any("embeddings" in name for name in stages[2])
    assert any("word_embeddings" in name for name in stages[3])


def test_the_trained_classifier_stays_as_it_is(bundle: Bundle) -> None:
    before = copy.deepcopy(bundle.classifier.state_dict())
    randomise_weights(bundle.classifier, "everything", 3)
    assert all(torch.equal(before[name], tensor) for name, tensor in bundle.classifier.state_dict().items())


def test_the_same_seed_draws_the_same_weights_of_the_trained_spread(bundle: Bundle) -> None:
    first, again, other = (randomise_weights(bundle.classifier, "everything", seed) for seed in (3, 3, 4))
    trained, *weights = (
        model.get_input_embeddings().weight.detach() for model in (bundle.classifier, first, again, other)
    )
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert float(weights[0].std()) == pytest.approx(float(trained.std()), rel=0.05)  # of thousands of draws


def test_a_model_is_recognised_by_its_own_explanations_and_others_are_not(bundle: Bundle) -> None:
    """Were the explained model the wholly random one itself, the last stage would find exactly its order."""
    itself = dataclasses.replace(bundle, classifier=randomise_weights(bundle.classifier, "everything", 7))
    spans = explain_posts(itself, TEXTS, IDS, settings=SETTINGS)
    table = compute_randomised(bundle, TEXTS, spans, seed=7)
    by_stage = table.dropna().groupby("stage")["rank_correlation"].mean()
    assert by_stage["everything"] == pytest.approx(1)
    assert by_stage.drop("everything").max() < 0.999


def test_there_is_one_row_per_post_and_stage_and_one_word_has_no_order(bundle: Bundle) -> None:
    spans = explain_posts(bundle, TEXTS, IDS)
    table = compute_randomised(bundle, TEXTS, spans, seed=1)
    assert sorted(zip(table["stage"], table["post_id"], strict=True)) == sorted((s, i) for s in STAGES for i in IDS)
    assert table.loc[table["post_id"] == "c", "rank_correlation"].isna().all()
    assert table.loc[table["post_id"] != "c", "rank_correlation"].between(-1, 1).all()
    pd.testing.assert_frame_equal(table, compute_randomised(bundle, TEXTS, spans, seed=1))
