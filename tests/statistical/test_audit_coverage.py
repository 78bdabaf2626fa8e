"""The audit's interval, by repeated sampling from streams whose true recall is known.

Each end is promised one-sided at 95 %. With R = 2,000 repeats the observed share of misses has a standard deviation of
at most sqrt(.05 x .95 / R) = .0049 around a true .05; we allow three. Bounds are exact and counts discrete, so true
rates lie below .05; seeds are fixed.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from screening.audit.estimate import AuditEstimate, ReadStratum, estimate_audited_recall
from screening.audit.sampling import draw_audit_sample

pytestmark = pytest.mark.statistical

N_REPEATS = 2_000
ALLOWED = 0.05
TOLERANCE = 3 * (ALLOWED * (1 - ALLOWED) / N_REPEATS) ** 0.5
PROMISE = {"target_recall": 0.95, "confidence_level": 0.95}

# (flagged, positives among them, flagged read), (near, misses), (far, misses, far read)
STREAMS = {
    "rare positives": ((300, 11, 300), (150, 1), (9_550, 1, 1_350)),
    "no miss at all": ((300, 60, 300), (50, 0), (4_000, 0, 450)),
    "misses near the threshold": ((900, 95, 900), (300, 9), (6_000, 1, 1_700)),
    "misses far from it": ((900, 95, 900), (300, 0), (6_000, 15, 1_700)),
    "no near stratum": ((900, 95, 900), (0, 0), (6_300, 20, 1_700)),
    "nearly everything read": ((900, 95, 900), (300, 3), (600, 4, 560)),
    "flagged posts sampled": ((5_000, 400, 500), (200, 8), (20_000, 25, 1_800)),
    "flagged posts sampled, rare positives": ((2_000, 20, 300), (100, 1), (8_000, 3, 900)),
}


def draw_counts(rng: np.random.Generator, n_posts: int, n_positive: int, n_sampled: int) -> int:
    return int(rng.hypergeometric(n_positive, n_posts - n_positive, n_sampled)) if n_sampled else 0


def repeat_audits(name: str) -> tuple[float, list[AuditEstimate]]:
    """The true recall of a stream, and 2,000 audits of it."""
    (n_flagged, n_hits, flagged_read), (n_near, near_misses), (n_far, far_misses, far_read) = STREAMS[name]
    rng = np.random.default_rng(list(STREAMS).index(name))
    near = ReadStratum(name="near", n_posts=n_near, n_sampled=n_near, n_positive=near_misses)
    audits = []
    for _ in range(N_REPEATS):
        hits, misses = draw_counts(rng, n_flagged, n_hits, flagged_read), draw_counts(rng, n_far, far_misses, far_read)
        flagged = ReadStratum(name="flagged", n_posts=n_flagged, n_sampled=flagged_read, n_positive=hits)
        far = ReadStratum(name="far", n_posts=n_far, n_sampled=far_read, n_positive=misses)
        audits.append(estimate_audited_recall(flagged, (near, far), **PROMISE))
    return n_hits / (n_hits + near_misses + far_misses), audits


@pytest.mark.parametrize("name", STREAMS)
def test_each_end_of_the_interval_misses_the_true_recall_no_more_often_than_promised(name):
    recall, audits = repeat_audits(name)
    ends = np.array([(audit.recall.interval.low, audit.recall.interval.high) for audit in audits])
    assert (ends[:, 0] > recall + 1e-12).mean() <= ALLOWED + TOLERANCE
    assert (ends[:, 1] < recall - 1e-12).mean() <= ALLOWED + TOLERANCE


@pytest.mark.parametrize("name", STREAMS)
def test_a_kept_promise_is_rarely_contradicted_and_a_broken_one_rarely_confirmed(name):
    recall, audits = repeat_audits(name)
    wrong = "contradicted" if recall >= 0.95 else "confirmed"
    assert np.mean([audit.verdict == wrong for audit in audits]) <= ALLOWED + TOLERANCE


def test_the_estimate_of_missed_posts_is_unbiased():
    _, audits = repeat_audits("misses far from it")
    values = np.array([audit.missed.value for audit in audits])
    assert values.mean() == pytest.approx(15, abs=4 * values.std() / N_REPEATS**0.5)


def test_a_clearly_broken_promise_raises_the_alarm():
    _, audits = repeat_audits("no near stratum")  # true recall .826 against a promised .95
    assert np.mean([audit.verdict == "contradicted" for audit in audits]) > 0.2


def test_whole_chain_from_scores_to_interval_covers_whatever_the_scores_are_like():
    """Scores of positives and others overlap; misses lie where they lie. 300 chains: three errors are .038."""
    rng, missed = np.random.default_rng(17), 0
    for _ in range(300):
        is_positive = np.arange(2_000) < 150
        scores = norm.cdf(rng.normal(2.0 * is_positive, 1.0))
        posts = pd.DataFrame({"post_id": [f"p{i}" for i in range(2_000)], "score": scores})
        flags = scores >= norm.cdf(0.3)
        sample = draw_audit_sample(posts, flags, 500, rng=rng)
        truth = pd.Series(is_positive, index=posts["post_id"])
        counts = truth[sample.table["post_id"]].groupby(sample.table["stratum"].to_numpy()).sum()
        read = [
            ReadStratum(**stratum.model_dump(), n_positive=int(counts.get(stratum.name, 0)))
            for stratum in (sample.flagged, *sample.unflagged)
        ]
        found = estimate_audited_recall(read[0], read[1:], **PROMISE)
        recall = (is_positive & flags).sum() / 150
        missed += not found.recall.interval.low - 1e-12 <= recall <= found.recall.interval.high + 1e-12
    assert missed / 300 <= 0.1 + 3 * (0.1 * 0.9 / 300) ** 0.5
