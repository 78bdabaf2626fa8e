"""Provenance: what was recorded is shown in words, what was not is said to be missing."""

import dataclasses

from reports.results import RunResults
from reports.sections.provenance import build_provenance
from screening.config import load_config


def shown(results: RunResults) -> dict[str, str]:
    return {fact.heading: fact.value for fact in build_provenance(results)}


def test_a_run_that_recorded_nothing_says_so(results: RunResults) -> None:
    facts = shown(dataclasses.replace(results, run_info={}, data_card={}))
    for heading in ("Run id", "Commit", "Versions", "Hardware of training", "Precision", "Backend"):
        assert facts[heading] == "not recorded"
    assert facts["Seed"] == "13"


def test_stages_precision_and_machine_are_written_in_words(results: RunResults) -> None:
    info = results.run_info | {
        "stages": {"train": {"finished_at": "2026-11-21T09:00:39.503118Z", "seconds": 3605.2, "fingerprint": "f"}},
        "precision": "bf16",
        "evaluated_precision": "bf16",
        "hardware": {"cpu_model": "AMD EPYC", "n_cores": 2, "amx": False, "avx512_bf16": True, "cuda": False},
    }
    facts = shown(dataclasses.replace(results, run_info=info))
    assert facts["Stage train"] == "finished 2026-11-21 09:00 UTC, took 3,605 s"
    assert facts["Precision"] == "thresholds chosen in bf16, test posts scored in bf16"
    assert facts["Hardware of training"] == "AMD EPYC, cores: 2, AMX: no, AVX512-BF16: yes, GPU: no"


def test_identity_is_what_the_run_recorded(results: RunResults) -> None:
    facts = shown(results)
    assert (facts["Run id"], facts["Commit"]) == ("0f3c2a", "1981637")
    assert "torch 2.13.0" in facts["Versions"]
    assert facts["Temperature"] == "1.600, fitted on 400 validation posts"


def test_an_ensemble_says_what_it_adds_to_the_encoder(results: RunResults) -> None:
    facts = shown(dataclasses.replace(results, run_info=results.run_info | {"words_weight": 1.349, "backend": "torch"}))
    assert facts["What is scored"].startswith("the encoder's class logits and 1.35 times those of TF-IDF")
    assert facts["Backend"] == "torch"
    assert shown(results)["What is scored"] == "the encoder's class logits"


def test_a_seed_of_training_alone_stands_beside_the_other(results: RunResults) -> None:
    assert shown(results)["Seed"] == "13"
    config = load_config(overrides=["training.seed=7"])
    assert shown(dataclasses.replace(results, config=config))["Seed"] == "13, of training 7"


def test_teachers_and_rated_sentences_are_named_without_their_folders(results: RunResults) -> None:
    overrides = ["objective.teachers=[/home/me/a/model,/home/me/b/model]", "pretraining.path=/home/me/emobank.csv"]
    objective = shown(dataclasses.replace(results, config=load_config(overrides=overrides)))["Objective"]
    assert objective == "preset cmhl, distilled from 2 teachers, encoder trained before on ratings of emobank.csv"
    assert shown(results)["Objective"] == "preset cmhl"
