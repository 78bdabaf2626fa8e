"""The explained score is the log-odds of the score a threshold is compared with."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from screening.explain.heads import build_score, list_heads
from screening.taxonomy import Label, RiskTarget, Taxonomy, load_taxonomy


def _output(seed: int = 0) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(seed)
    return SimpleNamespace(
        logits=torch.randn(4, 5, generator=generator) * 3,
        valence=torch.rand(4, generator=generator) * 2 - 1,
        intensity=torch.rand(4, generator=generator),
    )


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("target", load_taxonomy("mh5").targets)
def test_log_odds_are_those_of_the_summed_probabilities(target: RiskTarget, temperature: float) -> None:
    taxonomy, output = load_taxonomy("mh5"), _output()
    prob = torch.softmax(output.logits.double() / temperature, dim=1)[:, taxonomy.target_indices(target)].sum(dim=1)
    found = build_score(f"class:{target.name}", taxonomy, temperature)(output)
    np.testing.assert_allclose(found.numpy(), torch.log(prob / (1 - prob)).numpy(), rtol=1e-4)  # float32 logits


def test_extreme_logits_stay_finite() -> None:
    output = SimpleNamespace(logits=torch.tensor([[-200.0, 200.0, 0.0, 0.0, 0.0]]))
    assert build_score("class:suicidewatch", load_taxonomy("mh5"))(output).item() == pytest.approx(200.0, abs=2)


@pytest.mark.parametrize("head", ["valence", "intensity"])
def test_valence_and_intensity_are_explained_as_they_are(head: str) -> None:
    output = _output()
    assert torch.equal(build_score(head, load_taxonomy("mh5"))(output), getattr(output, head))


def test_an_unknown_head_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"class:any_risk.*found 'class:nobody'"):
        build_score("class:nobody", load_taxonomy("mh5"))


def test_a_target_of_all_labels_has_nothing_to_explain() -> None:
    labels = tuple(Label(name=name, risk=True, valence=0, arousal=0, source="test") for name in "ab")
    target = RiskTarget(name="all", labels=("a", "b"), triage="review", description="everything")
    taxonomy = Taxonomy(name="t", description="", label_meaning="", labels=labels, targets=(target,))
    with pytest.raises(ValueError, match="always 1"):
        build_score("class:all", taxonomy)


def test_the_most_urgent_target_is_the_first_head() -> None:
    assert list_heads(load_taxonomy("emotion6"))[0] == "class:sadness"
