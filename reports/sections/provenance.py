"""Run id, commit, seed, versions, hardware, stages: what someone needs to get the same numbers again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.page import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.results import RunResults
    from screening.config import RunConfig

NOT_RECORDED = "not recorded"
HARDWARE_WORDS = {
    "cpu_model": "{}", "n_cores": "cores: {}", "n_threads": "threads: {}", "cuda_device": "{}", "cuda": "GPU: {}",
    "amx": "AMX: {}", "avx512_bf16": "AVX512-BF16: {}",
}  # fmt: skip


def build_provenance(results: RunResults) -> tuple[Fact, ...]:
    """List what identifies the run; facts the run did not record are shown as not recorded."""
    return (*_describe_run(results), *_describe_making(results), *_describe_stages(results))


def _describe_run(results: RunResults) -> Iterator[Fact]:
    info = results.run_info
    yield Fact("Run", results.config.name)
    yield Fact("Run id", describe(info.get("run_id")) or NOT_RECORDED)
    yield Fact("Commit", describe(info.get("commit")) or NOT_RECORDED)
    yield Fact("Seed", _describe_seed(results.config))
    if "bundle_version" in info:
        yield Fact("Bundle version", describe(info["bundle_version"]))
    yield Fact("Versions", describe(info.get("versions")) or NOT_RECORDED)
    yield Fact("Hardware of training", _describe_hardware(info.get("hardware", {})) or NOT_RECORDED)
    yield Fact("Precision", _describe_precision(info))
    yield Fact("Backend", describe(info.get("backend")) or NOT_RECORDED)


def _describe_making(results: RunResults) -> Iterator[Fact]:
    config = results.config
    yield Fact("Data", f"{config.data.source}, taxonomy {results.taxonomy.name}")
    if digest := results.data_card.get("splits", {}).get("test", {}).get("sha256"):
        yield Fact("Test split", f"SHA-256 {digest}")
    yield Fact("Encoder", f"{config.model.encoder}, {config.model.pooling} pooling, {config.model.max_tokens} tokens")
    yield Fact("Objective", _describe_objective(config))
    yield Fact("What is scored", _describe_score(results))
    if results.temperature is not None:
        scaling = results.temperature
        yield Fact("Temperature", f"{scaling.temperature:.3f}, fitted on {scaling.n_samples:,} validation posts")


def _describe_stages(results: RunResults) -> Iterator[Fact]:
    """When each stage that made a number on the page finished, and how long it took."""
    for name, stage in results.run_info.get("stages", {}).items():
        finished = str(stage["finished_at"])[:16].replace("T", " ")
        yield Fact(f"Stage {name}", f"finished {finished} UTC, took {float(stage['seconds']):,.0f} s")


def _describe_precision(info: Mapping[str, Any]) -> str:
    calibrated, evaluated = info.get("precision"), info.get("evaluated_precision")
    if calibrated is None:
        return NOT_RECORDED
    return f"thresholds chosen in {calibrated}, test posts scored in {evaluated or 'a precision not recorded'}"


def _describe_seed(config: RunConfig) -> str:
    own = config.training.seed
    return str(config.seed) if own is None else f"{config.seed}, of training {own}"


def _describe_objective(config: RunConfig) -> str:
    """Name the preset, and what else the classifier learned from; of paths no more than the last name."""
    parts = [f"preset {config.objective.preset}"]
    if n_teachers := len(config.objective.teachers):
        parts.append(f"distilled from {n_teachers} teacher{'s' if n_teachers > 1 else ''}")
    if config.pretraining.path is not None:
        parts.append(f"encoder trained before on ratings of {config.pretraining.path.name}")
    return ", ".join(parts)


def _describe_score(results: RunResults) -> str:
    if not results.has_word_model:
        return "the encoder's class logits"
    weight = results.run_info["words_weight"]
    return f"the encoder's class logits and {weight:.3g} times those of TF-IDF + logistic regression on the same posts"


def _describe_hardware(hardware: Mapping[str, Any]) -> str:
    """Write the machine on one line; facts without words of their own stand by name."""
    parts = []
    for name, value in hardware.items():
        shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        if name != "torch_version":  # stands among the versions
            parts.append(HARDWARE_WORDS.get(name, f"{name}: {{}}").format(shown))
    return ", ".join(parts)


def describe(value: Any) -> str:
    """Write a nested fact on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {describe(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(describe(item) for item in value)
    return "" if value is None else str(value)
