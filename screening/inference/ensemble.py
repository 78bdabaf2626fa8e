"""The word model's voice beside the encoder's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from screening.inference.forward import Logits
from screening.models.baseline import TfidfBaseline


def add_words(outputs: Logits, words: TfidfBaseline | None, weight: float, texts: Sequence[str]) -> Logits:
    """Add ``weight`` times the word model's class logits to the encoder's; valence and intensity stay the encoder's.

    Parameters
    ----------
    outputs : Logits
        Of the encoder, of ``n_posts`` posts.
    words : TfidfBaseline or None
        Reads every post to its end; ``None`` leaves the outputs as they are.
    weight : float
    texts : sequence of str, length n_posts
        The same posts, cleaned.
    """
    if words is None:
        return outputs
    return replace(outputs, logits=(outputs.logits + weight * words.compute_logits(texts)).astype(np.float32))
