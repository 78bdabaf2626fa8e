"""Precision follows the hardware unless it is asked for."""

import json

import pytest
import torch

from screening.inference.precision import (
    compute_score_tolerance,
    describe_hardware,
    detect_int8,
    detect_precision,
    resolve_precision,
)


@pytest.mark.parametrize(("flag", "expected"), [("amx_bf16", "bf16"), ("avx512_bf16", "bf16"), ("avx2", "fp32")])
def test_bf16_needs_hardware_for_it(monkeypatch: pytest.MonkeyPatch, flag: str, expected: str) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True})
    assert detect_precision() == expected


@pytest.mark.parametrize(
    ("flag", "expected"), [("avx512_vnni", True), ("avx_vnni", True), ("amx_int8", True), ("avx512_f", False)]
)
def test_exact_int8_needs_hardware_for_it(monkeypatch: pytest.MonkeyPatch, flag: str, expected: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True})
    assert detect_int8() is expected


def test_the_tolerance_of_int8_is_its_own_and_grows_as_the_temperature_falls() -> None:
    assert compute_score_tolerance("fp32", 1.0, "int8") == 0.1 > compute_score_tolerance("fp32", 1.0)
    assert compute_score_tolerance("bf16", 0.49, "int8") == pytest.approx(0.2)


def test_a_device_without_a_gpu_has_no_gpu_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert detect_precision("cuda") == "fp32"


def test_what_is_asked_for_is_kept_and_auto_is_detected() -> None:
    assert resolve_precision("bf16") == "bf16"
    assert resolve_precision("fp32") == "fp32"
    assert resolve_precision("auto") == detect_precision()


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="found 'fp16'"):
        resolve_precision("fp16")


def test_hardware_facts_go_into_json() -> None:
    facts = json.loads(json.dumps(describe_hardware()))
    assert facts["n_threads"] == torch.get_num_threads()
    assert {"cpu_model", "n_cores", "amx", "avx512_bf16", "torch_version", "cuda"} <= facts.keys()
