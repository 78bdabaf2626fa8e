"""What a frozen encoder says about posts, computed once: every epoch of the heads reads the same."""

from collections.abc import Callable
from typing import Any

import torch

from screening.inference.forward import MAX_TOKENS_PER_BATCH, build_batches
from screening.training.collator import POOLED


def add_representations(
    posts: Any,
    classifier: Any,
    pad_token_id: int,
    max_tokens: int,
    precision: str,
    on_progress: Callable[[int, int], None] = lambda n_read, n_posts: None,
) -> Any:
    """Give tokenised posts a column of their representations, as the classifier computes them in evaluation mode.

    Parameters
    ----------
    posts : datasets.Dataset
        With ``input_ids``.
    classifier : RiskClassifier
    pad_token_id, max_tokens : int
        The classifier's own.
    precision : {"fp32", "bf16"}
    on_progress : callable
        Called as ``on_progress(n_read, n_posts)`` after every batch.

    Returns
    -------
    datasets.Dataset
        With a column ``pooled``, n_hidden numbers a post.

    Notes
    -----
    Of several processes each reads all posts.
    """
    device = next(classifier.parameters()).device
    token_ids, was_training = posts["input_ids"][:], classifier.training
    pooled: list[Any] = [None] * len(posts)
    n_read = 0
    classifier.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        for batch, *padded in build_batches(token_ids, pad_token_id, max_tokens, MAX_TOKENS_PER_BATCH[device.type]):
            output = classifier(*(tensor.to(device) for tensor in padded))
            for i, row in zip(batch, output.pooled.float().cpu().numpy(), strict=True):
                pooled[i] = row
            n_read += len(batch)
            on_progress(n_read, len(posts))
    classifier.train(was_training)
    return posts.add_column(POOLED, pooled)
