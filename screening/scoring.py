"""The screener: texts in, score table out, on the one path its operating points were calibrated on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from screening.bundle import Bundle, BundleManifest, load_bundle, load_manifest
from screening.calibration.temperature import TemperatureScaling
from screening.data.cleaning import clean_text
from screening.data.schema import validate_posts
from screening.inference.backends import Engine, load_engine
from screening.inference.forward import Logits, Progress
from screening.inference.precision import detect_precision
from screening.inference.scoring_path import ScoringPath
from screening.path_checks import validate_arithmetic, validate_promise
from screening.taxonomy import Taxonomy
from screening.thresholds.cascade import CLEARED_SCORE, combine_risks
from screening.thresholds.operating_point import OperatingPoint
from screening.thresholds.triage import assign_triage

MAX_CHARACTERS = 1_000_000  # a longer text is a file in the wrong place, not a post
CHUNK_SIZE = 10_000  # posts whose words a first stage or word model holds at a time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Screener:
    """A loaded bundle that scores texts.

    Load it with :meth:`load`. It changes nothing on disk and logs no text.
    """

    bundle: Bundle
    engine: Engine

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        precision: str = "auto",
        backend: str = "auto",
        quantisation: str = "auto",
        device: str = "cpu",
    ) -> "Screener":
        """Load a bundle and make sure that its promise can hold here.

        Parameters
        ----------
        folder : path
            A bundle, as ``screening calibrate`` writes it.
        precision : {"auto", "bf16", "fp32"}
            ``auto`` is the precision the bundle was calibrated in; any other is refused.
        backend : {"auto", "torch", "openvino"}
            Likewise.
        quantisation : {"auto", "none", "int8"}
            Likewise.
        device : str
            The pipeline calibrates on a CPU. Another device rounds differently: a post right at a threshold may fall
            on its other side.

        Returns
        -------
        Screener

        Raises
        ------
        BundleError
            If the folder is no bundle, or not as it was written.
        NotCalibratedError
            If another precision, backend or quantisation is asked for, a risk target has no operating point, the
            backend that the bundle was calibrated on is not installed or cannot run here as it ran then, or made posts
            score otherwise here than they did then.
        """
        import torch

        manifest = load_manifest(Path(folder))
        validate_promise(
            manifest,
            {
                "training.precision": precision,
                "inference.backend": backend,
                "inference.quantisation": quantisation,
            },
        )
        bundle = load_bundle(Path(folder))
        device_type = torch.device(device).type
        if manifest.precision == "bf16" and detect_precision(device_type) != "bf16":
            logger.warning(
                "the bundle is calibrated in bf16, which this %s only emulates: scoring is slow", device_type
            )
        bundle.classifier.to(device)
        engine = load_engine(bundle.classifier, manifest.backend, manifest.precision, bundle.quantised)
        screener = cls(bundle, engine)
        validate_arithmetic(screener.path, manifest)
        return screener

    @property
    def version(self) -> str:
        """Version of the bundle, written next to every score."""
        return self.bundle.version

    @property
    def path(self) -> ScoringPath:
        """The way from texts to logits."""
        bundle, manifest = self.bundle, self.bundle.manifest
        return ScoringPath(
            self.engine,
            bundle.tokenizer,
            manifest.max_tokens,
            manifest.long_posts,
            bundle.words,
            manifest.words_weight,
            has_scales=bundle.classifier.config.has_trained_scales,
        )

    @property
    def manifest(self) -> BundleManifest:
        """What the bundle is and what its promise rests on."""
        return self.bundle.manifest

    def score(
        self,
        texts: Sequence[str],
        post_ids: Sequence[str] | None = None,
        on_progress: Progress | None = None,
        *,
        reads_cleared: bool = False,
    ) -> pd.DataFrame:
        """Score posts and say which to flag for review.

        Texts are cleaned first as the training posts were (:func:`screening.data.cleaning.clean_text`; cleaning a
        clean text changes nothing).

        Parameters
        ----------
        texts : sequence of str, length n_posts
        post_ids : sequence of str, optional
            Unique; ``post-1``, ``post-2``, … by default.
        on_progress : callable, optional
            Called as ``on_progress(n_done, n_posts)``.
        reads_cleared : bool
            Let the encoder read what the first stage clears as well, at full cost, so that a study can say what is
            lost. It fills in what the encoder says of cleared posts and changes no risk score and no triage level.

        Returns
        -------
        DataFrame
            One row per text, in input order: ``post_id``, ``prob_<class>``, ``valence`` in [-1, 1], ``intensity`` in
            [0, 1], ``risk_<target>`` in [0, 1], ``triage``, ``n_tokens`` (of the whole post), ``n_windows``,
            ``is_truncated``, ``is_cleared``. Valence and intensity are NaN where their heads were not trained.

            A post that the first stage of a cascade cleared was not read: its class probabilities, valence and
            intensity are NaN, its tokens and windows 0. Its risk scores are 0, by the definition of a cascade's score,
            and its triage level is ``no_flag``. Without a cascade no post is cleared.

        Raises
        ------
        SchemaError
            If a text is not a string, empty, not valid Unicode or over a million characters, or an id is unsafe or
            not unique. Posts are named by id; nothing is scored then.
        ValueError
            If texts and ids differ in number.
        """
        ids = (
            [f"post-{i}" for i in range(1, len(texts) + 1)]
            if post_ids is None
            else [_name(value) for value in post_ids]
        )
        posts = _clean_and_validate(texts, ids)
        starts = range(0, max(len(posts), 1), CHUNK_SIZE)  # no posts: one empty chunk gives the empty table
        parts = [
            self._score_clean(
                posts.iloc[start : start + CHUNK_SIZE], _shift(on_progress, start, len(posts)), reads_cleared
            )
            for start in starts
        ]
        return pd.concat(parts, ignore_index=True)

    def _score_clean(self, posts: pd.DataFrame, on_progress: Progress | None, reads_cleared: bool) -> pd.DataFrame:
        manifest, texts = self.manifest, posts["text"].tolist()
        is_cleared = self.find_cleared(texts)
        is_scored = np.ones_like(is_cleared) if reads_cleared else ~is_cleared
        wanted = [text for text, is_wanted in zip(texts, is_scored, strict=True) if is_wanted]
        outputs = self.path.compute_logits(wanted, _shift(on_progress, int((~is_scored).sum()), len(texts)))
        read = build_score_table(
            posts.loc[is_scored, "post_id"].tolist(),
            outputs,
            manifest.taxonomy,
            manifest.temperature,
            manifest.operating_points,
            is_cleared=is_cleared[is_scored],
        )
        return read if is_scored.all() else _add_unread(read, posts["post_id"], manifest.taxonomy)

    def find_cleared(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Find the posts that the first stage clears, shape (n_posts,); none without a cascade.

        Parameters
        ----------
        texts : sequence of str
            Cleaned; nothing is checked.
        """
        gate, first_stage = self.bundle.gate, self.manifest.first_stage
        if gate is None or first_stage is None:
            return np.zeros(len(texts), dtype=bool)
        return ~first_stage.read(gate.compute_scores(texts))


def compute_risk_scores(probabilities: NDArray[np.float64], taxonomy: Taxonomy) -> dict[str, NDArray[np.float64]]:
    """Sum class probabilities to one score per risk target.

    Parameters
    ----------
    probabilities : ndarray, shape (n_posts, n_classes)
        Rows sum to 1.
    taxonomy : Taxonomy

    Returns
    -------
    dict of str to ndarray, shape (n_posts,)
        By target name, in [0, 1].

    Examples
    --------
    >>> from screening.taxonomy import load_taxonomy
    >>> compute_risk_scores(np.array([[0.5, 0.25, 0.0, 0.25, 0.0]]), load_taxonomy("mh5"))["any_risk"].tolist()
    [0.75]
    """
    return {
        target.name: np.minimum(probabilities[:, taxonomy.target_indices(target)].sum(axis=1), 1.0)
        for target in taxonomy.targets
    }


def build_score_table(
    post_ids: Sequence[str],
    outputs: Logits,
    taxonomy: Taxonomy,
    temperature: TemperatureScaling,
    operating_points: Sequence[OperatingPoint],
    *,
    is_cleared: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Turn logits into the score table, the same for new posts and for the test split.

    Parameters
    ----------
    post_ids, outputs, taxonomy, temperature, operating_points
        Of posts the encoder has read.
    is_cleared : ndarray of bool, shape (n_posts,), optional
        Posts that a first stage cleared all the same: their risk scores are 0.

    Returns
    -------
    DataFrame
        See :meth:`Screener.score`.

    Raises
    ------
    NotCalibratedError
        If a risk target has no operating point.
    """
    probabilities = temperature.compute_probabilities(outputs.logits)
    cleared = np.zeros(len(probabilities), dtype=bool) if is_cleared is None else is_cleared
    risks = combine_risks(compute_risk_scores(probabilities, taxonomy), ~cleared)
    columns = {
        "post_id": pd.Series(list(post_ids), dtype="str"),
        **{f"prob_{name}": probabilities[:, i] for i, name in enumerate(taxonomy.names)},
        "valence": outputs.valence.astype(np.float64),
        "intensity": outputs.intensity.astype(np.float64),
        **{f"risk_{name}": scores for name, scores in risks.items()},
        "triage": pd.Series(assign_triage(risks, operating_points), dtype="str"),
        "n_tokens": outputs.n_tokens,
        "n_windows": outputs.n_windows,
        "is_truncated": outputs.is_truncated,
        "is_cleared": cleared,
    }
    return pd.DataFrame(columns)


def _add_unread(read: pd.DataFrame, post_ids: pd.Series, taxonomy: Taxonomy) -> pd.DataFrame:
    """Add a row for every post that was cleared unread, and put the rows into the order of the ids."""
    fills: dict[str, object] = {f"risk_{target.name}": CLEARED_SCORE for target in taxonomy.targets}
    fills |= {"triage": "no_flag", "n_tokens": 0, "n_windows": 0, "is_truncated": False, "is_cleared": True}
    filled = read.set_index("post_id").reindex(post_ids.astype("str")).fillna(fills).reset_index()
    return filled.astype({name: read[name].dtype for name in read})


def _clean_and_validate(texts: Sequence[str], post_ids: Sequence[object]) -> pd.DataFrame:
    if isinstance(texts, str) or len(texts) != len(post_ids):
        found = "one string" if isinstance(texts, str) else f"{len(texts)} texts and {len(post_ids)} ids"
        message = f"expected a sequence of texts and one post id per text, found {found}"
        raise ValueError(message)
    posts = pd.DataFrame({"post_id": list(post_ids), "text": list(texts)}, dtype=object)
    if posts.empty:
        return posts
    validate_posts(posts, max_characters=MAX_CHARACTERS, where="posts to score")
    posts = posts.assign(text=posts["text"].map(clean_text).astype(object))
    validate_posts(posts, max_characters=MAX_CHARACTERS, where="posts to score, after cleaning")
    return posts


def _name(post_id: object) -> object:
    """Write numbers as text; anything else that is no string is refused later, with the other bad rows."""
    return str(post_id) if isinstance(post_id, int | np.integer) and not isinstance(post_id, bool) else post_id


def _shift(on_progress: Progress | None, start: int, n_posts: int) -> Progress | None:
    """Report a chunk's progress as progress over all posts."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda n_done, _: report(start + n_done, n_posts)
