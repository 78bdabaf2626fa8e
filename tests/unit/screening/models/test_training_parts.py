"""What a classifier carries in training only."""

from typing import Any

import torch

from screening.models.projection import Projection
from screening.models.weighting_network import WeightingHead


def test_classifier_reads_its_training_parts_and_forgets_them(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40)
    before = classifier.state_dict().keys()
    classifier.training_parts.update({"projected": Projection(32, 3), "weighting_logits": WeightingHead(32, 5)})
    output = classifier(input_ids=torch.tensor([[2, 10, 11, 3]]))
    assert output.projected.shape == (1, 3)
    assert output.contrasted is output.projected
    assert output.weighting_logits.shape == (1, 5)
    classifier.training_parts.clear()
    output = classifier(input_ids=torch.tensor([[2, 10, 11, 3]]))
    assert output.contrasted is output.pooled
    assert output.weighting_logits is None
    assert classifier.state_dict().keys() == before
