"""Whether explanations depend on what was learned: those of a model with random weights must differ."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from screening.bundle import Bundle
from screening.explain.attribution import AttributionSettings
from screening.explain.explanations import explain_posts
from screening.metrics.rank_correlation import compute_rank_correlation
from screening.models.baseline import TfidfBaseline

# Each stage draws anew what the one before did, and more: from the output down to the word embeddings.
STAGES = ("heads", "upper_layers", "all_layers", "everything")
SETTINGS = AttributionSettings(first_steps=8, max_steps=8)  # only ranks are compared: the sum need not come out right


def compute_randomised(
    bundle: Bundle,
    texts: Sequence[str],
    spans: pd.DataFrame,
    *,
    seed: int,
) -> pd.DataFrame:
    """Explain posts again with ever more weights drawn at random, and compare the words' ranks.

    Parameters
    ----------
    bundle : Bundle
        Left as it is; copies of its classifier and word model are randomised.
    texts : sequence of str, length n_posts
    spans : DataFrame
        Explanation table of exactly these posts, in their order, of one head, with the trained weights.
    seed : int
        Of the random weights; all these posts meet the same random models.

    Returns
    -------
    DataFrame
        One row per post and stage: ``post_id``, ``stage``, ``rank_correlation`` (Spearman's, in [-1, 1], between the
        words' absolute weights with trained and with random weights; NaN for a post of one word), ``n_words``,
        ``seed``.

    Notes
    -----
    The cascade of Adebayo et al. [1]_ in four steps: heads; the upper half of the encoder's layers too; all layers;
    every weight. The word model of an ensemble stands at the output, like the heads: all four stages draw its
    coefficients and intercept anew. Weights are drawn from a normal distribution with the mean and spread of the
    trained tensor, which keeps signals in range in any architecture. A correlation that stays high means that the map
    shows the input (long words, rare words), not the model. It need not fall to 0: length and rarity matter to random
    models too.

    References
    ----------
    .. [1] Adebayo et al. Sanity Checks for Saliency Maps. NeurIPS 2018, arXiv 1810.03292.
    """
    post_ids, head = spans["post_id"].drop_duplicates().tolist(), str(spans["head"].iloc[0])
    trained = {post_id: np.abs(part) for post_id, part in _group_weights(spans)}
    rows = []
    for stage in STAGES:
        classifier = randomise_weights(bundle.classifier, stage, seed)
        words = randomise_words(bundle.words, seed) if bundle.words is not None else None
        random_bundle = dataclasses.replace(bundle, classifier=classifier, words=words)
        table = explain_posts(random_bundle, texts, post_ids, head=head, settings=SETTINGS)
        rows += [
            (post_id, stage, compute_rank_correlation(trained[post_id], np.abs(part)), len(part), seed)
            for post_id, part in _group_weights(table)
        ]
    return pd.DataFrame(rows, columns=["post_id", "stage", "rank_correlation", "n_words", "seed"])


def randomise_weights(classifier: Any, stage: str, seed: int) -> Any:
    """Copy a classifier and draw the weights of a stage anew.

    Parameters
    ----------
    classifier : RiskClassifier
    stage : str
        One of ``STAGES``.
    seed : int

    Returns
    -------
    RiskClassifier
        Same names, shapes and types; every tensor with more than one value that the stage covers holds normal draws of
        its own mean and spread.
    """
    randomised = copy.deepcopy(classifier)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in _select_parameters(randomised, stage):
            if parameter.numel() > 1:
                drawn = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(parameter.mean() + parameter.std() * drawn.to(parameter))
    return randomised


def randomise_words(words: TfidfBaseline, seed: int) -> TfidfBaseline:
    """Draw a word model's coefficients and intercept anew, each with the mean and spread of its trained array."""
    rng = np.random.default_rng(seed)
    coefficients, intercept = (
        rng.normal(trained.mean(), trained.std(), trained.shape) for trained in (words.coefficients, words.intercept)
    )
    return TfidfBaseline(words.term_digests, words.inverse_document_frequency, coefficients, intercept)


def _select_parameters(classifier: Any, stage: str) -> list[nn.Parameter]:
    """List what a stage draws anew: heads always, then layers from the output down, then everything."""
    if stage == "everything":
        return list(classifier.parameters())
    layers = _find_layers(classifier.encoder)
    n_kept = {"heads": len(layers), "upper_layers": len(layers) // 2, "all_layers": 0}[stage]
    inside = {id(parameter) for parameter in classifier.encoder.parameters()}
    heads = [parameter for parameter in classifier.parameters() if id(parameter) not in inside]
    return heads + [parameter for layer in list(layers)[n_kept:] for parameter in layer.parameters()]


def _find_layers(encoder: nn.Module) -> nn.ModuleList:
    """Find the encoder's stack of layers: its longest list of modules."""
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len, default=nn.ModuleList())


def _group_weights(spans: pd.DataFrame) -> list[tuple[str, NDArray[np.float64]]]:
    return [
        (str(post_id), part["weight"].to_numpy(dtype=float)) for post_id, part in spans.groupby("post_id", sort=False)
    ]
