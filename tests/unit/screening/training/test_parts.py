"""Sampler, collator and weight average, each against its definition."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from screening.training.collator import PaddingCollator
from screening.training.ema import WeightAverage
from screening.training.fitting import summarise_history
from screening.training.sampler import LengthGroupedEpochSampler

LENGTHS = np.random.default_rng(0).integers(5, 300, size=1_003)


def test_sampler_visits_every_post_once() -> None:
    assert sorted(LengthGroupedEpochSampler(LENGTHS, 16, seed=1)) == list(range(len(LENGTHS)))


def test_sampler_order_depends_on_seed_and_epoch_and_nothing_else() -> None:
    first, second = (LengthGroupedEpochSampler(LENGTHS, 16, seed=1) for _ in range(2))
    torch.manual_seed(99)
    assert list(first) == list(second)
    second.set_epoch(1)
    assert list(first) != list(second)
    assert list(first) != list(LengthGroupedEpochSampler(LENGTHS, 16, seed=2))


def test_sampler_pads_far_less_than_a_random_order() -> None:
    def count_padding(order: list[int]) -> int:
        batches = [LENGTHS[order[i : i + 16]] for i in range(0, len(order), 16)]
        return sum(int((batch.max() - batch).sum()) for batch in batches)

    grouped = count_padding(list(LengthGroupedEpochSampler(LENGTHS, 16, seed=1)))
    shuffled = count_padding(np.random.default_rng(0).permutation(len(LENGTHS)).tolist())
    assert grouped < 0.2 * shuffled


def test_collator_pads_to_a_multiple_of_eight_within_the_window(bert_tokenizer: Any) -> None:
    rows = [{"input_ids": list(range(2, 2 + n)), "labels": 1} for n in (3, 9)]
    batch = PaddingCollator(bert_tokenizer, 40)(rows)
    assert batch["input_ids"].shape == (2, 16)
    assert batch["attention_mask"].sum(dim=1).tolist() == [3, 9]
    assert PaddingCollator(bert_tokenizer, 10)(rows)["input_ids"].shape == (2, 10)


def test_weight_average_is_the_bias_corrected_exponential_mean() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, decay=0.5)
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(model.weight, value)
        average.update(model)
    # weights 1/8, 1/4, 1/2 of 1, 2, 4 make 2.625, over 7/8
    with average.applied(model):
        assert model.weight.item() == 3.0
    assert model.weight.item() == 4.0


def test_weight_average_survives_a_checkpoint(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.9)
    average.update(model)
    average.save(tmp_path)
    other = WeightAverage(nn.Linear(2, 2), decay=0.9)
    other.load(tmp_path)
    assert other.n_updates == 1
    assert all(torch.equal(other.sums[name], average.sums[name]) for name in average.sums)


def test_history_has_one_row_per_epoch() -> None:
    log = pd.DataFrame(
        [
            {"epoch": 0.5, "loss": 2.0, "loss_ce": 1.0},
            {"epoch": 1.0, "loss": 1.0, "loss_ce": 0.5},
            {"epoch": 1.0, "eval_loss": 0.9, "eval_macro_f1": 0.4},
            {"epoch": 2.0, "loss": 0.5, "loss_ce": 0.2},
            {"epoch": 2.0, "eval_loss": 0.8, "eval_macro_f1": 0.6},
        ]
    )
    history = summarise_history(log)
    assert history["epoch"].tolist() == [1, 2]
    assert history["train_loss"].tolist() == [1.5, 0.5]
    assert history["validation_macro_f1"].tolist() == [0.4, 0.6]
