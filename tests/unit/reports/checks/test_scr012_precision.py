"""SCR012: thresholds hold for the bundle and the arithmetic they were chosen with."""

import dataclasses
from typing import Any

from reports.checks.probabilities import check_precision
from reports.results import RunResults


def with_info(results: RunResults, **info: Any) -> RunResults:
    return dataclasses.replace(results, run_info=results.run_info | info)


def test_scores_in_another_precision_fail(results: RunResults) -> None:
    check = check_precision(with_info(results, precision="bf16", evaluated_precision="fp32"))
    assert check.outcome == "fail"
    assert "bf16" in check.sentence
    assert "fp32" in check.sentence


def test_scores_of_another_bundle_fail(results: RunResults) -> None:
    other = dataclasses.replace(results, test=results.test.assign(model_version="aaaa"))
    made = with_info(other, precision="fp32", evaluated_precision="fp32", bundle_version="bbbb")
    assert check_precision(made).outcome == "fail"


def test_a_run_that_does_not_say_leaves_it_open(results: RunResults) -> None:
    assert check_precision(results).outcome == "not_measured"


def test_emulated_bf16_is_noticed(results: RunResults) -> None:
    machine = {"amx": False, "avx512_bf16": False, "cuda": False}
    made = with_info(results, precision="bf16", evaluated_precision="bf16", hardware=machine)
    assert check_precision(made).outcome == "notice"


def test_the_same_precision_passes(results: RunResults) -> None:
    machine = {"amx": False, "avx512_bf16": True, "cuda": False}
    for precision in ("fp32", "bf16"):
        made = with_info(results, precision=precision, evaluated_precision=precision, hardware=machine)
        assert check_precision(made).outcome == "pass"
