"""Labelled posts as a team would bring them, with a word that must not be said anywhere."""

import numpy as np
import pandas as pd

SECRET = "lanternfish"
LABELS = ("suicidewatch", "depression", "offmychest")


def make_posts(n: int = 210) -> pd.DataFrame:
    """Make posts of three labels in turn, no two alike."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(400)]
    texts = [f"{SECRET} {' '.join(rng.choice(words, 8))}" for _ in range(n)]
    ids = [f"post{i}" for i in range(n)]
    return pd.DataFrame({"post_id": ids, "text": texts, "label": [LABELS[i % 3] for i in range(n)]})
