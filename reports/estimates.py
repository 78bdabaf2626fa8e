"""Estimates as columns of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from screening.types import Estimate


def spread_estimate(name: str, estimate: Estimate) -> dict[str, float | int | None]:
    """Lay an estimate out as ``name``, ``name_low``, ``name_high`` and ``name_n``; ``None`` where it is undefined.

    Examples
    --------
    >>> from screening.types import Estimate
    >>> spread_estimate("recall", Estimate(value=None, n_samples=0, split="test"))
    {'recall': None, 'recall_low': None, 'recall_high': None, 'recall_n': 0}
    """
    low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high, f"{name}_n": estimate.n_samples}
