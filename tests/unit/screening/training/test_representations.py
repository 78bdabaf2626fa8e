"""A frozen encoder reads every post once: what it said stands beside the post, and the heads read that."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from datasets import Dataset

from screening.training.callbacks import PhaseCallback
from screening.training.collator import PaddingCollator
from screening.training.representations import add_representations
from tests.unit.screening.training.small_training import fit, make_config

LENGTHS = (3, 30, 7, 7, 16, 1, 24)


def make_posts() -> Dataset:
    generator = torch.Generator().manual_seed(3)
    ids = [torch.randint(5, 40, (n,), generator=generator).tolist() for n in LENGTHS]
    return Dataset.from_dict({"input_ids": ids, "labels": [0] * len(ids), "n_tokens": list(LENGTHS)})


def test_every_post_keeps_its_own_representation(build_classifier: Any) -> None:
    classifier = build_classifier("bert", 40).train()
    posts = add_representations(make_posts(), classifier, 0, 32, "fp32")
    assert classifier.training
    classifier.eval()
    for row in posts:
        alone = classifier(input_ids=torch.tensor([row["input_ids"]])).pooled[0]
        torch.testing.assert_close(torch.tensor(row["pooled"]), alone, atol=1e-5, rtol=1e-5)


def test_heads_say_the_same_of_a_representation_as_of_its_post(build_classifier: Any, bert_tokenizer: Any) -> None:
    classifier = build_classifier("bert", 40)
    posts = add_representations(make_posts(), classifier, 0, 32, "fp32")
    batch = PaddingCollator(bert_tokenizer, 32)(list(posts))
    batch.pop("labels")
    remembered = classifier(**batch)
    batch.pop("pooled")
    read = classifier(**batch)
    for name in ("logits", "valence", "intensity"):
        torch.testing.assert_close(getattr(remembered, name), getattr(read, name), atol=1e-5, rtol=1e-5)


class CountReadPosts(PhaseCallback):
    """Count the posts the encoder reads in each phase, and keep what is said of those read before one."""

    def __init__(self) -> None:
        self.n_read: list[int] = []
        self.heard: list[tuple[int, int]] = []

    def on_posts_read(self, n_read: int, n_posts: int) -> None:
        self.heard.append((n_read, n_posts))

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.n_read.append(0)

        def count(module: Any, positional: Any, named: dict[str, Any]) -> None:
            self.n_read[-1] += len(named["input_ids"])

        self.hook = kwargs["model"].encoder.register_forward_pre_hook(count, with_kwargs=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.hook.remove()


@pytest.mark.parametrize(
    ("preset", "expected", "heard"),
    [("scl_two_phase", [120, 0], [(40, 40), (20, 20)]), ("scl_joint", [120], [])],
)
def test_no_epoch_of_the_heads_asks_the_encoder(
    preset: str,
    expected: list[int],
    heard: list[tuple[int, int]],
    encoder: Path,
    posts: pd.DataFrame,
    tmp_path: Path,
) -> None:
    counts = CountReadPosts()
    config = make_config(encoder, f"objective.preset={preset}", "training.epochs=2")
    fit(config, posts, tmp_path / "run", counts)
    assert counts.n_read == expected  # two epochs of 40 posts to learn from and 20 to validate on
    assert [said for said in counts.heard if said[0] == said[1]] == heard
