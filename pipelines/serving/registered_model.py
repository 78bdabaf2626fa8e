"""Logs a screener bundle as an MLflow model from code: no pickle, a fixed signature, certified thresholds."""

import logging
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import pipelines
import screening
from pipelines.serving.served_screener import (
    OPERATING_POINT,
    THRESHOLD_PREFIX,
    ServingConfig,
    choose_thresholds,
    load_screener,
    score_table,
)
from screening.bundle import BundleManifest, load_manifest
from screening.config import Backend
from screening.scoring import Screener

MODEL_CODE = Path(__file__).with_name("model_code.py")
MODEL_NAME = "screener"
# What the shipped packages import to score; pinned to the versions the bundle was made with.
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
# MLflow's names of the column types a score table has.
COLUMN_TYPES = {"str": "string", "float64": "double", "int64": "long", "bool": "boolean"}


def log_screener(bundle_dir: Path, config: ServingConfig | None = None) -> str:
    """Log a bundle as a model of the active MLflow run.

    The bundle, the code that scores (the packages `screening` and `pipelines`) and pinned requirements travel together,
    so that ``mlflow models serve`` and ``mlflow.pyfunc.spark_udf`` need nothing else.

    Parameters
    ----------
    bundle_dir : Path
        Folder written by :func:`screening.bundle.save_bundle`.
    config : ServingConfig, optional
        What an operator gets unless they say otherwise when they serve the model.

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

    described = describe_model(bundle_dir, config or ServingConfig())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow asks for an input example; that would copy text into the store
        logged = mlflow.pyfunc.log_model(name=MODEL_NAME, **described)
    return str(logged.model_uri)


def export_screener(bundle_dir: Path, folder: Path, config: ServingConfig | None = None) -> None:
    """Write a bundle as an MLflow model into a new folder, without a tracking store; Spark's workers read it.

    Parameters
    ----------
    bundle_dir : Path
    folder : Path
        Made here; must not exist or be empty.
    config : ServingConfig, optional

    Raises
    ------
    BundleError
        See :func:`log_screener`.
    """
    import mlflow.pyfunc

    described = describe_model(bundle_dir, config or ServingConfig())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        mlflow.pyfunc.save_model(path=str(folder), **described)


def describe_model(bundle_dir: Path, config: ServingConfig) -> dict[str, Any]:
    """Describe a bundle to MLflow: model code, artifacts, shipped packages, signature, requirements, configuration."""
    requirements = build_requirements(load_manifest(bundle_dir).backend)  # before all else: is it a bundle?
    return {
        "python_model": str(MODEL_CODE),
        "artifacts": {"bundle": str(bundle_dir)},
        "code_paths": [str(Path(package.__file__).parent) for package in (screening, pipelines) if package.__file__],
        "signature": build_signature(load_screener(bundle_dir)),
        "pip_requirements": requirements,
        "model_config": config.model_dump(),
    }


def build_signature(screener: Screener) -> Any:
    """Build the model's signature from the table it gives for no posts.

    Returns
    -------
    mlflow.models.ModelSignature
        ``text`` and an optional ``post_id`` in, the served table out, and an optional threshold per target.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "text"),
        ColSpec(DataType.string, "post_id", required=False),
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType[kind], name) for name, kind in name_served_columns(screener).items()
    ]
    names = [f"{THRESHOLD_PREFIX}{point.name}" for point in screener.manifest.operating_points]
    params = ParamSchema([ParamSpec(name, DataType.double, default=None) for name in names])
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs), params=params)


def name_served_columns(screener: Screener) -> dict[str, str]:
    """Name the columns of the served table and their MLflow types, in order, by scoring no posts."""
    import pandas as pd

    no_posts = pd.DataFrame({"text": [], "post_id": []}, dtype=object)
    table = score_table(screener, no_posts, choose_thresholds(screener, None, ServingConfig()))
    return {str(name): COLUMN_TYPES[str(dtype)] for name, dtype in table.dtypes.items()}


def load_spark_udf(spark: Any, model: Path | str) -> Any:
    """Load an exported or registered screener as a function of a Spark column ``struct(post_id, text)``.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    model : path
        A model folder, which Spark copies to every machine, or an MLflow address.

    Returns
    -------
    callable
        Gives a struct of the served table's columns (:func:`name_served_columns`); these stand in its ``metadata``.
    """
    import mlflow.pyfunc

    log = logging.getLogger("mlflow.pyfunc")
    level = log.level
    log.setLevel(logging.ERROR)  # it advises an environment per model; the workers' is ours
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PySpark warns about pandas 3
            return mlflow.pyfunc.spark_udf(spark, str(model), env_manager="local")
    finally:
        log.setLevel(level)


def name_score_columns(loaded: Any) -> list[str]:
    """Name the columns that ``screening score`` writes, from what :func:`load_spark_udf` loaded."""
    names: list[str] = loaded.metadata.get_output_schema().input_names()
    return [name for name in names if name != OPERATING_POINT]


def build_requirements(backend: Backend = "torch") -> list[str]:
    """Pin the packages scoring needs to the installed versions (without local build marks such as ``+cpu``)."""
    names = SCORING_REQUIREMENTS if backend == "torch" else (*SCORING_REQUIREMENTS, backend)
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in names]


def describe_manifest(manifest: BundleManifest) -> dict[str, object]:
    """Turn a manifest into the tags of a model version: what it is, and what each operating point promises."""
    tags: dict[str, object] = {
        "run_id": manifest.run_id,
        "encoder": manifest.encoder,
        "precision": manifest.precision,
        "backend": manifest.backend,
        "quantisation": manifest.quantisation,
        "words_weight": manifest.words_weight,
        "taxonomy": manifest.taxonomy.name,
        "is_synthetic": manifest.is_synthetic,
    }
    if manifest.recalibration is not None:
        tags["recalibrated_from"] = manifest.recalibration.bundle_version
    for point in manifest.operating_points:
        tags[f"target_recall.{point.name}"] = point.target_recall
        tags[f"confidence_level.{point.name}"] = point.confidence_level
        tags[f"threshold.{point.name}"] = point.threshold
        tags[f"n_positive.{point.name}"] = point.n_positive
    return tags
