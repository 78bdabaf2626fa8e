"""Weights add up in every encoder layout the toolkit names, over one window and over several, and spans are words."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from screening.calibration.temperature import TemperatureScaling
from screening.explain.attribution import AttributionSettings, attribute_tokens
from screening.explain.explanations import explain_posts
from screening.explain.heads import build_score, list_heads
from screening.explain.preview import preview_posts
from screening.taxonomy import load_taxonomy

TEXTS = [
    "So tired today, isn't it 😀",
    "",
    "i feel so tired tonight, my dog is happy. no sleep! " * 2,
    "مرحبا 👩🏽‍🚒 cafe\u0301",
]
MAX_TOKENS = 20
SHARED = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
    "initializer_range": 0.2,
}
# What sets a layout apart: names of the word embeddings, positions, and the tokenizer's padding.
LAYOUTS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", "type_vocab_size": 2},
    "minilm": {"model_type": "bert", "type_vocab_size": 2, "num_hidden_layers": 3, "layer_norm_eps": 1e-12},
    "roberta": {"model_type": "roberta", "type_vocab_size": 1, "pad_token_id": 1},
    "deberta": {
        "model_type": "deberta-v2",
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "share_att_key": True,
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "type_vocab_size": 0,
    },
    "modernbert": {
        "model_type": "modernbert",
        "pad_token_id": 1,
        "local_attention": 16,
        "global_attn_every_n_layers": 2,
    },
}
TOKENIZERS = {"roberta": "roberta_tokenizer", "modernbert": "roberta_tokenizer", "deberta": "unigram_tokenizer"}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> SimpleNamespace:
    import torch
    from transformers import AutoConfig

    from screening.models.classifier import RiskClassifier, RiskConfig

    tokenizer = request.getfixturevalue(TOKENIZERS.get(request.param, "bert_tokenizer"))
    special = {"cls_token_id": 0, "bos_token_id": 0, "eos_token_id": 2, "sep_token_id": 2}
    encoder = AutoConfig.for_model(
        **{"pad_token_id": 0, **special, **SHARED, **LAYOUTS[request.param]}, vocab_size=len(tokenizer)
    )
    id2label = dict(enumerate(load_taxonomy("mh5").names))
    config = RiskConfig(
        encoder=encoder.to_dict(),
        max_tokens=MAX_TOKENS,
        id2label=id2label,
        label2id={v: k for k, v in id2label.items()},
    )
    torch.manual_seed(1)
    classifier = RiskClassifier(config).eval()
    manifest = SimpleNamespace(
        taxonomy=load_taxonomy("mh5"),
        temperature=TemperatureScaling(temperature=1.5, n_samples=100),
        max_tokens=MAX_TOKENS,
        long_posts="windows",
    )
    return SimpleNamespace(
        classifier=classifier, tokenizer=tokenizer, manifest=manifest, version="0123456789ab", words=None
    )


@pytest.mark.parametrize("head", list_heads(load_taxonomy("mh5")))
def test_weights_sum_to_the_change_of_score_in_every_layout(layout: SimpleNamespace, head: str) -> None:
    score = build_score(head, layout.manifest.taxonomy)
    settings = AttributionSettings(delta_limit=0.01, first_steps=24, max_steps=768)
    found = attribute_tokens(
        layout.classifier, layout.tokenizer, TEXTS, score, max_tokens=MAX_TOKENS, settings=settings
    )
    for attribution in found:
        assert attribution.unreliable_because == ""
        change = attribution.score - attribution.baseline_score
        assert attribution.weights.sum() == pytest.approx(change, abs=0.01 * abs(change) + 1e-9)
    assert len(found[2].weights) > MAX_TOKENS  # read in several windows


@pytest.mark.parametrize("explain", [explain_posts, preview_posts])
def test_spans_are_words_in_every_layout(layout: SimpleNamespace, explain: Callable[..., Any]) -> None:
    table = explain(layout, TEXTS, [str(i) for i in range(len(TEXTS))])
    words = {
        post_id: [TEXTS[int(post_id)][row.start : row.end] for row in rows.itertuples()]
        for post_id, rows in table.groupby("post_id")
    }
    assert words["0"] == ["So", "tired", "today", ",", "isn't", "it", "😀"]
    assert words["3"] == ["مرحبا", "👩🏽‍🚒", "cafe\u0301"]
    assert len(words["2"]) == 2 * 14
