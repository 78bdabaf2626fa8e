"""The only door to MLflow for runs and registered models: numbers, digests and reports go in, post text never."""

import logging
import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.run_description import flatten_params, write_as_text
from pipelines.text_guard import validate_shareable
from screening.config import TrackingConfig
from screening.exceptions import ConfigError
from screening.types import Estimate

BUNDLE_VERSION_TAG = "bundle_version"
CONTRADICTED_TAG = "contradicted_promises"  # of a version that no alias may point at
# Set before MLflow is imported: pickled models are refused, nothing is sent anywhere, no bars over our own.
ENVIRONMENT = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class AliasHolder:
    """The version an alias points to.

    Attributes
    ----------
    version : str
        As MLflow counts it.
    run_id : str or None
        Of the run whose bundle it is; ``None`` if it does not say.
    run_folder : str
        Where that run lies, or lay; ``RUN`` if it does not say.
    is_recalibrated : bool
        Whether its thresholds were fitted on other posts than that run's.
    """

    version: str
    run_id: str | None
    run_folder: str
    is_recalibrated: bool


@dataclass(frozen=True)
class Tracker:
    """One open MLflow run; made by :func:`track_run`.

    Attributes
    ----------
    run_id : str
        MLflow's id of the run.
    client : mlflow.MlflowClient
        Connected to the store of ``TrackingConfig.uri``.
    """

    run_id: str
    client: Any

    def log_metrics(self, metrics: Mapping[str, float | None]) -> None:
        """Log numbers by name; undefined ones (``None``, NaN, infinite) are left out."""
        self._log_values([(name, value, 0) for name, value in metrics.items()])

    def log_estimates(self, estimates: Mapping[str, Estimate], prefix: str) -> None:
        """Log estimates with interval and n as ``<prefix>_<name>``, ``…_low``, ``…_high`` and ``…_n``."""
        for name, found in estimates.items():
            low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
            numbers = {"": found.value, "_low": low, "_high": high, "_n": found.n_samples}
            self.log_metrics({f"{prefix}_{name}{suffix}": value for suffix, value in numbers.items()})

    def log_epoch_history(self, history: Any) -> None:
        """Log one row per epoch: every numeric column becomes a metric with the epoch as its step.

        Parameters
        ----------
        history : pandas.DataFrame
            Column ``epoch`` (whole epochs) and numeric columns; others are left out. Without ``epoch``, rows count
            from 1.
        """
        table = history.select_dtypes("number")
        epochs = table["epoch"] if "epoch" in table else range(1, len(table) + 1)
        columns = [name for name in table.columns if name != "epoch"]
        self._log_values(
            [
                (str(name), value, round(epoch))
                for name in columns
                for epoch, value in zip(epochs, table[name].tolist(), strict=True)
            ]
        )

    def log_artifacts(self, path: Path) -> None:
        """Copy a file, or a folder under its own name, into the run: report, resolved config, data card.

        Raises
        ------
        MissingArtifactError, SchemaError
            If there is nothing, or something may hold post text (see :func:`pipelines.text_guard.validate_shareable`);
            nothing is logged then.
        """
        validate_shareable(path)
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), path.name)
        else:
            self.client.log_artifact(self.run_id, str(path))

    def register_bundle(self, bundle_dir: Path, *, name: str, tags: Mapping[str, object]) -> str:
        """Register a screener bundle as a model version.

        The same bundle is registered once: a second call finds the version by the bundle's own version.

        Parameters
        ----------
        bundle_dir : Path
            Folder written by :func:`screening.bundle.save_bundle`.
        name : str
            Registered model (``screener``).
        tags : mapping
            Data digests, commit and the like, written as text; the manifest's own facts (encoder, precision, target
            recall, confidence level and threshold of each operating point) are added.

        Returns
        -------
        str
            The version, as MLflow counts it (``"1"``).

        Raises
        ------
        BundleError
            If there is no bundle, or it is incomplete or altered.
        """
        from pipelines.serving.registered_model import describe_manifest
        from screening.bundle import compute_version, load_manifest

        described = describe_manifest(load_manifest(bundle_dir))
        bundle_version = compute_version(bundle_dir)
        version = self._find_version(name, bundle_version)
        if version is not None and CONTRADICTED_TAG in tags:  # found out since, or not yet said when it was registered
            self.client.set_model_version_tag(name, version, CONTRADICTED_TAG, str(tags[CONTRADICTED_TAG]))
        if version is None:
            version = self._create_version(bundle_dir, name, {**described, **tags, BUNDLE_VERSION_TAG: bundle_version})
        self.client.set_tag(self.run_id, "registered_version", f"{name}/{version}")
        return version

    def find_holder(self, name: str, alias: str) -> AliasHolder | None:
        """Find the version of a registered model that an alias points to; ``None`` where the alias is free."""
        from mlflow.exceptions import MlflowException

        number = self.client.get_registered_model(name).aliases.get(alias)
        if number is None:
            return None
        version = self.client.get_model_version(name, number)
        try:
            params = self.client.get_run(version.run_id or "none").data.params
        except MlflowException:  # the run was deleted, or the version comes from none
            params = {}
        folder = str(Path(params["output_dir"]) / params["name"]) if {"output_dir", "name"} <= set(params) else "RUN"
        return AliasHolder(
            version=str(number),
            run_id=version.tags.get("run_id"),
            run_folder=folder,
            is_recalibrated="recalibrated_from" in version.tags,
        )

    def point_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version of a registered model, away from any other."""
        self.client.set_registered_model_alias(name, alias, version)

    def _find_version(self, name: str, bundle_version: str) -> str | None:
        found = self.client.search_model_versions(f"tag.{BUNDLE_VERSION_TAG} = '{bundle_version}'")
        versions = [entry.version for entry in found if entry.name == name]
        return str(max(versions, key=int)) if versions else None

    def _create_version(self, bundle_dir: Path, name: str, tags: Mapping[str, object]) -> str:
        from mlflow.exceptions import MlflowException

        from pipelines.serving.registered_model import log_screener

        model_uri = log_screener(bundle_dir)
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = self.client.create_model_version(name, model_uri, run_id=self.run_id, tags=write_as_text(tags))
        return str(created.version)

    def _log_values(self, values: list[tuple[str, float | None, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, step)
            for name, value, step in values
            if value is not None and math.isfinite(value)
        ]
        self.client.log_batch(self.run_id, metrics=metrics)


@contextmanager
def track_run(
    config: TrackingConfig, run_name: str, params: Mapping[str, object], tags: Mapping[str, object]
) -> Iterator[Tracker]:
    """Open an MLflow run; it ends as FINISHED, or as FAILED if the block raises.

    Parameters
    ----------
    config : TrackingConfig
        Store, experiment and registry names. With SQLite, artifacts lie in ``mlartifacts`` beside the database.
    run_name : str
        Shown in MLflow's lists; the run folder's name.
    params : mapping
        A (nested) configuration; flattened to ``section.key``.
    tags : mapping
        Data digests, commit, target recall, confidence level, threshold; values are written as text.

    Yields
    ------
    Tracker

    Raises
    ------
    ConfigError
        If the store cannot be opened.
    """
    mlflow = import_mlflow()
    client, experiment_id = open_store(config)
    with mlflow.start_run(experiment_id=experiment_id, run_name=run_name, tags=write_as_text(tags)) as run:
        mlflow.log_params(flatten_params(params))
        yield Tracker(run.info.run_id, client)


def find_tracked_run(config: TrackingConfig, tags: Mapping[str, str]) -> Tracker | None:
    """Find the latest MLflow run that carries all of some tags, or ``None``.

    Raises
    ------
    ConfigError
        If the store cannot be opened.
    """
    client, experiment_id = open_store(config)
    wanted = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
    found = client.search_runs([experiment_id], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    return Tracker(found[0].info.run_id, client) if found else None


def open_store(config: TrackingConfig) -> tuple[Any, str]:
    """Connect to the tracking store (made if absent) and find or create the experiment.

    Returns
    -------
    client : mlflow.MlflowClient
    experiment_id : str

    Raises
    ------
    ConfigError
        If the store cannot be opened.
    """
    mlflow = import_mlflow()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        mlflow.set_tracking_uri(config.uri)
        mlflow.set_registry_uri(config.uri)
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(config.experiment)
        if experiment is not None and experiment.lifecycle_stage == "deleted":
            message = f"experiment {config.experiment} was deleted: restore it, or name another, tracking.experiment"
            raise ConfigError(message)
        if experiment is not None:
            return client, experiment.experiment_id
        return client, client.create_experiment(config.experiment, locate_artifacts(config.uri))
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        message = (
            f"MLflow store {config.uri} cannot be opened ({type(error).__name__}); "
            "tracking.uri takes sqlite:///FILE in a writable folder, or the address of a running MLflow server"
        )
        raise ConfigError(message) from error


def point_alias_at(config: TrackingConfig, version: int) -> None:
    """Point the configured alias at a version that was registered before.

    Raises
    ------
    ConfigError
        If the store cannot be opened, has no such version, or the test split contradicts what that one promises.
    """
    mlflow = import_mlflow()
    client, _ = open_store(config)
    name, store = config.registered_model, config.uri
    try:
        found = client.get_model_version(name, str(version))
    except mlflow.exceptions.MlflowException as error:
        message = f"{store} has no version {version} of {name}; mlflow ui --backend-store-uri {store} lists them"
        raise ConfigError(message) from error
    if contradicted := found.tags.get(CONTRADICTED_TAG):
        message = f"{name} version {version}: the test split contradicts its promise for {contradicted}; name another"
        raise ConfigError(message)
    client.set_registered_model_alias(name, config.register_alias, str(version))


def is_reachable(uri: str) -> bool:
    """Ask a tracking server or database whether it answers, once and without writing."""
    mlflow = import_mlflow()
    from sqlalchemy.exc import SQLAlchemyError

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    try:
        mlflow.MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError, ImportError):  # ImportError: no driver
        return False
    return True


def import_mlflow() -> Any:
    """Import MLflow quietly, with pickle loading and telemetry switched off."""
    os.environ.update(ENVIRONMENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports warn about its own type hints and SQLAlchemy options
        import mlflow
        import mlflow.pyfunc
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return mlflow


def locate_artifacts(uri: str) -> str | None:
    """Name the artifact folder: ``mlartifacts`` beside an SQLite database; ``None`` leaves it to the server.

    Examples
    --------
    >>> locate_artifacts("sqlite:////srv/tracking/mlflow.db")
    'file:///srv/tracking/mlartifacts'
    >>> locate_artifacts("https://tracking.example") is None
    True
    """
    if not uri.startswith("sqlite:///"):
        return None
    database = Path(uri.removeprefix("sqlite:///")).resolve()
    database.parent.mkdir(parents=True, exist_ok=True)
    return (database.parent / "mlartifacts").as_uri()
