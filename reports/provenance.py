"""Run id, commit, seed, versions and hardware: what someone needs to get the same numbers again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.page import Fact

if TYPE_CHECKING:
    from reports.results import RunResults

KNOWN = {
    "run_id": "Run id",
    "commit": "Commit",
    "config_digest": "Configuration digest",
    "bundle_version": "Bundle version",
    "data_digest": "Data digest",
    "precision": "Precision",
    "versions": "Versions",
    "hardware": "Hardware",
}


def build_provenance(results: RunResults) -> tuple[Fact, ...]:
    """List what identifies the run; facts the run did not record are shown as not recorded."""
    config, info = results.config, results.run_info
    facts = [Fact("Run", config.name)]
    required = ("run_id", "commit", "versions", "hardware")
    for key, heading in KNOWN.items():
        if key in info or key in required:
            facts.append(Fact(heading, describe(info.get(key)) or "not recorded"))
    facts.insert(3, Fact("Seed", str(config.seed)))
    facts.append(Fact("Data", f"{config.data.source}, taxonomy {results.taxonomy.name}"))
    facts.append(
        Fact("Encoder", f"{config.model.encoder}, {config.model.pooling} pooling, {config.model.max_tokens} tokens")
    )
    facts.append(Fact("Objective", f"preset {config.objective.preset}"))
    if results.temperature is not None:
        scaling = results.temperature
        facts.append(
            Fact("Temperature", f"{scaling.temperature:.3f}, fitted on {scaling.n_samples:,} validation posts")
        )
    return tuple(facts)


def describe(value: Any) -> str:
    """Write a nested fact on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {describe(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(describe(item) for item in value)
    return "" if value is None else str(value)
