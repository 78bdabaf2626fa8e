"""A seeded corpus shaped like SWMH: five classes, repeated authors, reposts, hard negatives and noisy labels.

Its numbers mean nothing about people. It exists so that the toolkit can be tried and tested without any person's post.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from screening.data.synthetic_phrases import CLOSERS, CONTROLS, OPENERS, SHARED, SLOTS, STYLES, TOPICS

# Class shares of SWMH (Ji et al. 2022), all splits together.
_LABEL_SHARES = {"depression": 0.345, "suicidewatch": 0.187, "anxiety": 0.176, "offmychest": 0.152, "bipolar": 0.14}
_STYLE_SHARES = {
    "depression": {"negated": 0.12, "quoted": 0.05, "third_person": 0.03, "recovery": 0.06},
    "suicidewatch": {"negated": 0.02, "quoted": 0.03, "third_person": 0.10, "recovery": 0.06},
    "anxiety": {"negated": 0.06, "quoted": 0.02, "third_person": 0.02, "recovery": 0.04},
    "offmychest": {"negated": 0.08, "quoted": 0.10, "third_person": 0.12, "recovery": 0.06},
    "bipolar": {"negated": 0.05, "quoted": 0.03, "third_person": 0.03, "recovery": 0.08},
}
# The class a stray sentence is most likely to come from.
_NEIGHBOURS = {
    "depression": "suicidewatch",
    "suicidewatch": "depression",
    "anxiety": "depression",
    "offmychest": "depression",
    "bipolar": "depression",
}
_LABEL_NOISE = 0.02  # share of posts whose subreddit is drawn anew, whatever their content
_STRAY = 0.17  # chance of a sentence from another class
_TOPICAL = 0.48  # chance of a sentence from the post's own class; all others are shared
_REPOSTS = 0.02
_FIRST_DAY, _N_DAYS = np.datetime64("2019-01-01"), 3 * 365

_SLOT = re.compile(r"\{(\w+)\}")


def generate_posts(n_posts: int, seed: int) -> pd.DataFrame:
    """Write a labelled corpus.

    Parameters
    ----------
    n_posts : int
        Number of posts, reposts included.
    seed : int
        The same seed gives the same posts.

    Returns
    -------
    pandas.DataFrame
        Columns ``post_id, text, label, author_id, created_at, post_style`` (``first_person, negated, quoted,
        third_person, recovery``).

    Notes
    -----
    About 2 % of posts are reposts by the same author with small edits, and the label of 2 % is drawn anew, whatever
    their content (for about one in five of them it is the same label again), so that duplicates are found and no
    classifier is perfect.

    Examples
    --------
    >>> generate_posts(200, seed=1)["label"].nunique()
    5
    """
    rng = np.random.default_rng([seed, 1])
    n_reposts = round(n_posts * _REPOSTS)
    topics = rng.choice(list(_LABEL_SHARES), size=n_posts - n_reposts, p=_normalise(list(_LABEL_SHARES.values())))
    posts = pd.DataFrame({"label": topics.astype(object)})
    posts["post_style"] = [_choose_style(topic, rng) for topic in topics]
    posts["text"] = [_write_post(topic, style, rng) for topic, style in zip(topics, posts["post_style"], strict=True)]
    is_noisy = rng.random(len(posts)) < _LABEL_NOISE
    posts.loc[is_noisy, "label"] = rng.choice(list(_LABEL_SHARES), size=int(is_noisy.sum()))
    posts["author_id"] = _assign_authors(topics, rng)
    posts = pd.concat([posts, _repost(posts, n_reposts, rng)], ignore_index=True)
    return _finish(posts.iloc[rng.permutation(len(posts))], "synthetic", rng)


def generate_controls(n_posts: int, seed: int) -> pd.DataFrame:
    """Write posts about cooking, fitness, jobs, travel and study, some with words that only sound like distress.

    Returns
    -------
    pandas.DataFrame
        Columns ``post_id, text, control_kind`` (always ``control_plain``), ``created_at``.
    """
    rng = np.random.default_rng([seed, 2])
    texts = []
    for topic in rng.choice(list(CONTROLS), size=n_posts):
        sentences = rng.choice(CONTROLS[topic], size=rng.integers(2, 6), replace=False).tolist()
        texts.append(
            _roughen(" ".join(_fill(sentence, rng) for sentence in [_pick(OPENERS[1:], rng), *sentences]), rng)
        )
    posts = pd.DataFrame({"text": texts, "control_kind": "control_plain"})
    return _finish(posts, "control", rng)


def _choose_style(topic: str, rng: np.random.Generator) -> str:
    shares = _STYLE_SHARES[topic]
    names = [*shares, "first_person"]
    return str(rng.choice(names, p=[*shares.values(), 1 - sum(shares.values())]))


def _write_post(topic: str, style: str, rng: np.random.Generator) -> str:
    n_sentences = int(np.clip(rng.lognormal(1.5, 0.6), 1, 24))
    sentences = [_choose_sentence(topic, rng) for _ in range(n_sentences)]
    if style != "first_person":
        sentences[rng.integers(n_sentences)] = _pick(STYLES[style], rng)
    if rng.random() < 0.5:
        sentences.insert(0, _pick(OPENERS, rng))
    if rng.random() < 0.5:
        sentences.append(_pick(CLOSERS, rng))
    filled = [_fill(sentence, rng) for sentence in dict.fromkeys(sentences)]
    breaks = ["\n\n" if rng.random() < 0.12 else " " for _ in filled]
    return _roughen("".join(a + b for a, b in zip(filled, breaks, strict=True)).strip(), rng)


def _choose_sentence(topic: str, rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < _STRAY:
        other = _NEIGHBOURS[topic] if rng.random() < 0.6 else _pick(list(TOPICS), rng)
        return _pick(TOPICS[other], rng)
    return _pick(TOPICS[topic], rng) if draw < _STRAY + _TOPICAL else _pick(SHARED, rng)


def _fill(template: str, rng: np.random.Generator) -> str:
    """Replace slots until none is left, and start with a capital."""
    while _SLOT.search(template):
        template = _SLOT.sub(lambda match: _pick(SLOTS[match[1]], rng), template)
    return template[0].upper() + template[1:]


def _roughen(text: str, rng: np.random.Generator) -> str:
    """Write some posts as people type: lower case, no apostrophes, swapped letters, escaped signs."""
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.2:
        text = text.replace("'", "")
    for _ in range(rng.poisson(len(text) / 400)):
        place = int(rng.integers(1, len(text) - 1))
        if text[place - 1 : place + 1].isalpha():
            text = text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]
    return text + " &lt;3" if rng.random() < 0.03 else text


def _assign_authors(topics: Iterable[str], rng: np.random.Generator) -> list[str]:
    """Give each post an author: few write often, and an author stays mostly with one class."""
    topics, authors = list(topics), []
    n_authors = max(10, round(len(topics) * 0.6))
    weights = _normalise([1 / (rank + 20) ** 0.8 for rank in range(n_authors)])
    homes = rng.choice(list(_LABEL_SHARES), size=n_authors, p=_normalise(list(_LABEL_SHARES.values())))
    by_home = {label: np.flatnonzero(homes == label) for label in _LABEL_SHARES}
    for topic in topics:
        pool = by_home[topic] if rng.random() < 0.7 and len(by_home[topic]) else np.arange(n_authors)
        number = rng.choice(pool, p=_normalise(weights[pool]))
        authors.append(f"author-{number:06d}")
    return authors


def _repost(posts: pd.DataFrame, n_reposts: int, rng: np.random.Generator) -> pd.DataFrame:
    """Copy long posts with one word added or the case changed."""
    n_words = posts["text"].map(lambda text: len(text.split()))
    long = posts[n_words >= 40].index.to_numpy()
    copies = posts.loc[rng.choice(long if len(long) else posts.index.to_numpy(), size=n_reposts)].copy()
    copies["text"] = [text.upper() if rng.random() < 0.3 else f"Reposting. {text}" for text in copies["text"]]
    return copies


def _finish(posts: pd.DataFrame, stem: str, rng: np.random.Generator) -> pd.DataFrame:
    days = _FIRST_DAY + rng.integers(0, _N_DAYS, size=len(posts)).astype("timedelta64[D]")
    ids = [f"{stem}-{row:05d}" for row in range(1, len(posts) + 1)]
    finished = posts.reset_index(drop=True).assign(post_id=ids, created_at=days.astype(str))
    first = [name for name in ("post_id", "text", "label", "author_id") if name in finished]
    return finished[[*first, *(name for name in finished if name not in first)]].astype(object)


def _normalise(weights: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(weights, dtype=float)
    return values / values.sum()


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
