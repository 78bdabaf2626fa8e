"""Which arithmetic this machine runs fast, and what the machine is."""

from pathlib import Path
from typing import Literal

from screening.config import Quantisation

Precision = Literal["bf16", "fp32"]

# How far the log-odds of a post's risk score may move with the batch it is scored in, on any backend: about three times
# and more the most that was measured over 240 to 400 validation and calibration posts scored in another order, 57 to
# 120 in smaller batches and 60 alone (fp32: torch 7e-6, OpenVINO 3e-6; bf16, eight bits of mantissa, on a CPU that
# multiplies it: torch 0.031, OpenVINO 0.012).
SCORE_TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "bf16": 0.1}
# In int8, whatever the rest is computed in: a rounding may tip a number over to the next of 256. Measured over 400
# posts in another order, 120 in batches of 600 to 16,384 tokens and 538 alone: 0.036 beside bf16; beside fp32, with
# 120 alone, 0.029.
INT8_SCORE_TOLERANCE = 0.1
_MEASURED_AT_TEMPERATURE = 0.98  # of the classifier whose scores were measured


def detect_precision(device_type: str = "cpu") -> Precision:
    """``bf16`` where the device multiplies bfloat16 matrices in hardware, ``fp32`` elsewhere.

    Parameters
    ----------
    device_type : {"cpu", "cuda"}
        A CPU qualifies with AMX or AVX512-BF16, a GPU with native bfloat16. Any other device gets ``fp32``.
    """
    import torch

    if device_type == "cuda":
        native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        flags = _cpu_flags()
        native = device_type == "cpu" and (flags["amx"] or flags["avx512_bf16"])
    return "bf16" if native else "fp32"


def detect_int8() -> bool:
    """Whether this CPU sums products of 8-bit integers exactly: AVX512-VNNI, AVX-VNNI or AMX-INT8."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name, False)) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def compute_score_tolerance(precision: Precision, temperature: float, quantisation: Quantisation = "none") -> float:
    """Compute how far the log-odds of a post's risk score may move with its batch, after division by a temperature.

    Logits move by rounding; log-odds are made of logits over the temperature, so a low one magnifies what moves.

    Examples
    --------
    >>> compute_score_tolerance("bf16", 1.2)
    0.1
    >>> compute_score_tolerance("bf16", 0.49)
    0.2
    """
    tolerance = INT8_SCORE_TOLERANCE if quantisation == "int8" else SCORE_TOLERANCE[precision]
    return tolerance * max(1.0, _MEASURED_AT_TEMPERATURE / temperature)


def resolve_precision(requested: str, device_type: str = "cpu") -> Precision:
    """Turn ``auto`` into what the device runs fast; keep ``bf16`` and ``fp32`` as asked for.

    Raises
    ------
    ValueError
        If ``requested`` is none of the three.

    Examples
    --------
    >>> resolve_precision("fp32")
    'fp32'
    """
    if requested == "auto":
        return detect_precision(device_type)
    if requested == "bf16":
        return "bf16"
    if requested == "fp32":
        return "fp32"
    message = f"precision must be 'auto', 'bf16' or 'fp32', found {requested!r}"
    raise ValueError(message)


def describe_hardware() -> dict[str, str | int | bool]:
    """Facts about this machine that change speed or the last digits of a score.

    Returns
    -------
    dict
        ``cpu_model``, ``n_cores`` (physical), ``amx``, ``avx512_bf16``, ``torch_version``, ``n_threads``, ``cuda``
        and, where there is one, ``cuda_device``; values go into JSON as they are.
    """
    import torch

    capabilities = torch.cpu.get_capabilities()
    facts: dict[str, str | int | bool] = {
        "cpu_model": _cpu_model() or str(capabilities.get("cpu_name", "unknown")),
        "n_cores": int(capabilities.get("num_physical_cores", 0)),
        **_cpu_flags(),
        "torch_version": torch.__version__,
        "n_threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
    }
    if facts["cuda"]:
        facts["cuda_device"] = torch.cuda.get_device_name()
    return facts


def _cpu_flags() -> dict[str, bool]:
    import torch

    capabilities = torch.cpu.get_capabilities()
    return {
        "amx": bool(capabilities.get("amx_bf16", False)),
        "avx512_bf16": bool(capabilities.get("avx512_bf16", False)),
    }


def _cpu_model() -> str | None:
    """Marketing name from Linux's cpuinfo; torch knows only the micro-architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
