"""The audit's exact interval beside the usual weighted normal one: coverage and width, in the same audits.

    python benchmarks/audit.py              # a minute and a half on one core

Every stream of posts has known misses, so true recall is known. Each audit draws its sample anew; both intervals are
computed from the same decisions. The normal interval is the textbook one for a stratified sample: estimated missed
posts plus or minus 1.645 standard errors with the finite-population correction, carried over to recall. A second table
compares ways to spend the same reading, a third counts false alarms of the drift check.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.stats import norm

from screening.audit.drift import compare_scores
from screening.audit.estimate import AuditEstimate, ReadStratum, estimate_audited_recall
from screening.audit.sampling import allocate_reading
from screening.thresholds.operating_point import OperatingPoint

TARGET_RECALL, CONFIDENCE_LEVEL = 0.95, 0.95
# name: flagged positives, near posts and misses, far posts, misses and posts read
STREAMS = {
    "10,000 posts, recall .979, 1 miss near, 1 far": (95, 300, 1, 7_700, 1, 2_700),
    "10,000 posts, recall .950, 5 misses far": (95, 300, 0, 7_700, 5, 2_700),
    "100,000 posts, recall .969, 15 near, 15 far": (950, 500, 15, 79_500, 15, 4_500),
    "100,000 posts, recall .950, 50 far": (950, 500, 0, 79_500, 50, 4_500),
    "100,000 posts, recall .905, 100 far": (950, 500, 0, 79_500, 100, 4_500),
    "100,000 posts, rare: 19 found, 1 far": (19, 500, 0, 79_500, 1, 4_500),
}


def audit_once(rng: np.random.Generator, stream: tuple[int, ...]) -> AuditEstimate:
    """Draw the far sample and estimate recall exactly; all flagged posts are read."""
    hits, n_near, near_misses, n_far, far_misses, n_read = stream
    found = int(rng.hypergeometric(far_misses, n_far - far_misses, n_read))
    return estimate_audited_recall(
        ReadStratum(name="flagged", n_posts=10 * hits, n_sampled=10 * hits, n_positive=hits),
        [
            ReadStratum(name="near", n_posts=n_near, n_sampled=n_near, n_positive=near_misses),
            ReadStratum(name="far", n_posts=n_far, n_sampled=n_read, n_positive=found),
        ],
        target_recall=TARGET_RECALL,
        confidence_level=CONFIDENCE_LEVEL,
    )


def compute_normal_interval(estimate: AuditEstimate, stream: tuple[int, ...]) -> tuple[float, float]:
    """Compute the textbook interval of recall from the same decisions."""
    hits, _, near_misses, n_far, _, n_read = stream
    missed = estimate.missed.value or 0.0
    share = (missed - near_misses) / n_far
    variance = n_far**2 * (1 - n_read / n_far) * share * (1 - share) / (n_read - 1)
    half = float(norm.ppf(CONFIDENCE_LEVEL)) * variance**0.5
    return hits / (hits + missed + half), hits / (hits + max(missed - half, near_misses))


def measure_stream(name: str, stream: tuple[int, ...], n_repeats: int) -> dict[str, object]:
    """Measure how often each interval misses the true recall, and how wide it is."""
    rng = np.random.default_rng(list(STREAMS).index(name))
    truth = stream[0] / (stream[0] + stream[2] + stream[4])
    exact, normal = np.empty((n_repeats, 2)), np.empty((n_repeats, 2))
    for i in range(n_repeats):
        estimate = audit_once(rng, stream)
        assert estimate.recall.interval is not None
        exact[i] = estimate.recall.interval.low, estimate.recall.interval.high
        normal[i] = compute_normal_interval(estimate, stream)
    row: dict[str, object] = {"stream": name}
    for kind, ends in (("exact", exact), ("normal", normal)):
        row |= {
            f"{kind}: too high": f"{(ends[:, 0] > truth + 1e-12).mean():.1%}",
            f"{kind}: covers": f"{((ends[:, 0] <= truth + 1e-12) & (ends[:, 1] >= truth - 1e-12)).mean():.1%}",
            f"{kind}: width": f"{(ends[:, 1] - ends[:, 0]).mean():.3f}",
        }
    return row


def measure_allocation(near_share: float, recall: float, n_repeats: int) -> dict[str, object]:
    """Measure what reading 5,000 of 100,000 posts says, by the share read nearest to the threshold."""
    rng = np.random.default_rng(7)
    lows, values, truths, found = [], [], [], []
    is_positive = np.arange(100_000) < 5_000
    for _ in range(n_repeats):
        scores = rng.normal(3.0 * is_positive)
        flags = scores >= 3.0 + norm.ppf(1 - recall)
        misses = is_positive[~flags][np.argsort(-scores[~flags])]
        n_near, n_far = allocate_reading(misses.size, 5_000, near_share)
        near, far = int(misses[:n_near].sum()), int(misses[n_near:].sum())
        hits = int((is_positive & flags).sum())
        estimate = audit_once(rng, (hits, n_near, near, misses.size - n_near, far, n_far))
        assert estimate.recall.interval is not None
        lows.append(estimate.recall.interval.low)
        values.append(estimate.recall.value)
        truths.append(hits / (hits + near + far))
        found.append(estimate.recall.n_samples - hits)
    errors = np.subtract(values, truths)
    return {
        "true recall": f"{recall:.3f}",
        "share nearest": f"{near_share:.0%}",
        "low end, mean": f"{np.mean(lows):.4f}",
        "confirms .95": f"{(np.array(lows) >= TARGET_RECALL).mean():.0%}",
        "error of the value (RMS)": f"{(errors**2).mean() ** 0.5:.4f}",
        "misses found": f"{np.mean(found):.1f}",
    }


def count_drift_alarms(n_repeats: int, prevalence: float) -> dict[str, object]:
    """Count states of the drift check where only prevalence differs (.3 in the reference)."""
    rng = np.random.default_rng(11)
    point = OperatingPoint(
        name="risk", labels=("risk",), triage="review", target_recall=0.95, confidence_level=0.95, threshold=0.3,
        n_samples=400, n_positive=100, n_allowed_misses=1, recall_lower_bound=0.95, confidence_achieved=0.963,
    )  # fmt: skip

    def draw(n: int, share: float) -> pd.DataFrame:
        is_risk = rng.random(n) < share
        risk = np.where(is_risk, rng.beta(4.0, 1.5, n), rng.beta(1.0, 4.0, n))
        n_tokens = rng.lognormal(np.where(is_risk, 4.5, 3.5), 0.6).astype(int) + 2
        label = np.where(is_risk, "risk", "calm")
        return pd.DataFrame({"risk_risk": risk, "n_tokens": n_tokens, "is_truncated": n_tokens > 256, "label": label})

    states = [compare_scores(draw(1_200, 0.3), draw(1_000, prevalence), [point]).state for _ in range(n_repeats)]
    counts = {state: f"{states.count(state) / n_repeats:.1%}" for state in ("trusted", "watch", "broken")}
    return {"prevalence of the new posts": f"{prevalence:.0%}", "repeats": n_repeats, **counts}


def print_table(rows: list[dict[str, object]]) -> None:
    """Print rows as Markdown."""
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row.values()) + " |")
    print()


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5_000)
    repeats = parser.parse_args().repeats
    print(f"{repeats:,} audits per stream; each end at 95 %, so that 90 % must be covered and 5 % may be too high\n")
    print_table([measure_stream(name, stream, repeats) for name, stream in STREAMS.items()])
    print(f"{repeats // 10:,} audits per row: 100,000 posts at 5 %, 5,000 unflagged ones read\n")
    shares = (0.0, 0.1, 0.3, 0.6)
    print_table([measure_allocation(share, recall, repeats // 10) for recall in (0.965, 0.98) for share in shares])
    print("Drift check, the same kinds of posts\n")
    print_table([count_drift_alarms(repeats // 5, prevalence) for prevalence in (0.3, 0.05)])


if __name__ == "__main__":
    main()
