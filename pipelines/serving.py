"""Logs a screener bundle as an MLflow model from code: no pickle, a fixed signature, fixed thresholds."""

import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import screening
from screening.bundle import BundleManifest, load_bundle

MODEL_CODE = Path(__file__).with_name("serving_model.py")
MODEL_NAME = "screener"
# What the shipped `screening` package imports to score; pinned to the versions the bundle was made with.
SCORING_REQUIREMENTS = (
    "mlflow",
    "numpy",
    "pandas",
    "pandera",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
    "transformers",
)


def log_screener(bundle_dir: Path) -> str:
    """Log a bundle as a model of the active MLflow run.

    The bundle, the code that scores (the `screening` package) and pinned requirements travel together, so that
    ``mlflow models serve`` and ``mlflow.pyfunc.spark_udf`` need nothing else.

    Parameters
    ----------
    bundle_dir : Path
        Folder written by :func:`screening.bundle.save_bundle`.

    Returns
    -------
    str
        The model's address, ``models:/m-…``.

    Raises
    ------
    BundleError
        If a file of the bundle is missing, added or altered; nothing is logged.
    """
    import mlflow.pyfunc

    manifest = load_bundle(bundle_dir).manifest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for an input example; that would copy text into the store
        logged = mlflow.pyfunc.log_model(
            name=MODEL_NAME,
            python_model=str(MODEL_CODE),
            artifacts={"bundle": str(bundle_dir)},
            code_paths=[str(Path(screening.__file__).parent)],
            signature=build_signature(manifest),
            pip_requirements=build_requirements(),
        )
    return str(logged.model_uri)


def build_signature(manifest: BundleManifest) -> Any:
    """Build the model's signature: ``text`` and an optional ``post_id`` in, the score table out.

    Returns
    -------
    mlflow.models.ModelSignature
        Without parameters: a caller cannot override a threshold.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "text"),
        ColSpec(DataType.string, "post_id", required=False),
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType[kind], name) for name, kind in name_score_columns(manifest).items()
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def name_score_columns(manifest: BundleManifest) -> dict[str, str]:
    """Name the columns of the served score table and their MLflow types, in order."""
    return {
        "post_id": "string",
        **{f"prob_{name}": "double" for name in manifest.taxonomy.names},
        "valence": "double",
        "intensity": "double",
        **{f"risk_{target.name}": "double" for target in manifest.taxonomy.targets},
        "triage": "string",
        "n_tokens": "long",
        "is_truncated": "boolean",
        "model_version": "string",
    }


def build_requirements() -> list[str]:
    """Pin the packages scoring needs to the installed versions (without local build marks such as ``+cpu``)."""
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in SCORING_REQUIREMENTS]


def describe_manifest(manifest: BundleManifest) -> dict[str, object]:
    """Turn a manifest into the tags of a model version: what it is, and what each operating point promises."""
    tags: dict[str, object] = {
        "run_id": manifest.run_id,
        "encoder": manifest.encoder,
        "precision": manifest.precision,
        "taxonomy": manifest.taxonomy.name,
        "is_synthetic": manifest.is_synthetic,
    }
    for point in manifest.operating_points:
        tags[f"target_recall.{point.name}"] = point.target_recall
        tags[f"confidence_level.{point.name}"] = point.confidence_level
        tags[f"threshold.{point.name}"] = point.threshold
        tags[f"n_positive.{point.name}"] = point.n_positive
    return tags
