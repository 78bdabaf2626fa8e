"""A Spark session with the settings that scoring needs; what a cluster's own configuration says comes first."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from screening.exceptions import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL_MASTER = "local[*,4]"  # every core; a task may fail three times, as on a cluster (plain local[*] never retries)
PANDAS_NOTICE = "PySpark does not yet fully support pandas"  # 3; what is used here is tested
SETTINGS = {
    "spark.app.name": "screening score",
    # One Python worker per core: threads inside a worker would fight for the cores of its neighbours.
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    "spark.executorEnv.TOKENIZERS_PARALLELISM": "false",
    "spark.executorEnv.TQDM_DISABLE": "1",
    "spark.executorEnv.PYTHONWARNINGS": f"ignore:{PANDAS_NOTICE}:FutureWarning",
    # MLflow's errors quote the rows they are about, and a task's error ends in the driver's log.
    "spark.executorEnv.MLFLOW_DISABLE_SCHEMA_DETAILS": "true",
    "spark.executorEnv.MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "spark.executorEnv.MLFLOW_DISABLE_TELEMETRY": "true",
    # Posts in one call of the model: enough to group them by length, few enough to hold whatever their length.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    "spark.io.encryption.enabled": "true",  # posts that Spark parks on a disk
    "spark.ui.enabled": "false",  # a page without a password
}
LOCAL_SETTINGS = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def open_session(master: str | None = None) -> Iterator["SparkSession"]:
    """Open a session, and stop it at the end if it was opened here.

    Parameters
    ----------
    master : str, optional
        Spark's address, such as ``spark://host:7077`` or ``local[2,4]``. By default what Spark's own configuration
        says (``spark-submit``, ``SPARK_CONF_DIR``), else every core of this machine.

    Raises
    ------
    ConfigError
        If PySpark or Java is missing.
    """
    _validate_installed()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", PANDAS_NOTICE, FutureWarning)
        from pyspark import SparkConf
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers take the first python3 they find
        is_ours = SparkSession.getActiveSession() is None
        conf = SparkConf()
        if master is not None:
            conf.setMaster(master)
        conf.setIfMissing("spark.master", LOCAL_MASTER)
        is_local = str(conf.get("spark.master")).startswith("local")
        for name, value in (SETTINGS | (LOCAL_SETTINGS if is_local else {})).items():
            conf.setIfMissing(name, value)
        spark = SparkSession.builder.config(conf=conf).getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        try:
            yield spark
        finally:
            if is_ours:
                spark.stop()


def _validate_installed() -> None:
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        message = (
            "the Spark engine needs PySpark, which is not installed. Run in the project's folder: "
            ".venv/bin/pip install -e '.[spark]' -c constraints.txt"
        )
        raise ConfigError(message)
    if shutil.which("java") is None:
        message = "the Spark engine needs Java 17 or later, found none; on Debian: apt install openjdk-17-jre-headless"
        raise ConfigError(message)
