"""The Spark engine gives what the local engine gives, and loses nothing when a worker is killed."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.scoring.job import ScoreOptions, score_posts
from pipelines.serving.registered_model import export_screener
from pipelines.spark.session import open_session
from pipelines.tracking import import_mlflow
from screening.data.file_readers import UNFINISHED
from screening.scoring import Screener

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17, and there is no java here"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
pytest.importorskip("pyspark", reason="Spark tests need the extra 'spark'")

N_POSTS = 400
# Put behind the code of an exported model: every call says which process makes it and how often that loaded a bundle.
WATCHER = """
import os, time
from pipelines.serving.served_screener import load_once

_predict = ScreenerModel.predict

def predict(self, context, model_input, params=None):
    with open({log!r}, "a") as log:
        log.write(f"{{os.getpid()}} {{load_once.cache_info().misses}} {{load_once.cache_info().hits}}\\n")
    time.sleep(1)  # long enough to be killed in
    return _predict(self, context, model_input, params)

ScreenerModel.predict = predict
"""


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with open_session("local[2,4]") as session:
        yield session


@pytest.fixture(scope="module")
def bundle(save_small_bundle: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("spark") / "bundle")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute on one thread, as Spark's workers do."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def make_posts(n_posts: int) -> pd.DataFrame:
    sentences = ["i feel so tired today", "my dog is happy", "no sleep 😀"]
    texts = [f"{' '.join(sentences[: 1 + i % 3])} {i}" for i in range(n_posts)]
    return pd.DataFrame({"post_id": [f"p{i:05d}" for i in range(n_posts)], "text": texts})


def read_sorted(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).sort_values("post_id", ignore_index=True)


def test_scores_and_rejects_are_the_local_engines(spark: Any, bundle: Path, tmp_path: Path) -> None:
    from pipelines.spark.engine import score_with_spark

    posts = make_posts(N_POSTS)
    folder = tmp_path / "posts"
    folder.mkdir()
    posts[:250].to_csv(folder / "a.csv", index=False)
    second = posts[240:].copy()  # ten posts stand in both files
    second.loc[260, "text"] = " "
    second.loc[261, "text"] = "nul \x00 byte"
    second.loc[262, "post_id"] = "two words"
    second.loc[263, "post_id"] = "p00264"
    second.to_json(folder / "b.jsonl", orient="records", lines=True)
    with (folder / "b.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"post_id": "broken"\n')
    options = ScoreOptions(max_rejected=1, progress=False)
    local = score_posts([folder], bundle, tmp_path / "local", options)
    spread = score_posts([folder], bundle, tmp_path / "spark", options, engine=score_with_spark)

    assert spread.totals.n_posts == local.totals.n_posts == N_POSTS - 4
    assert spread.totals.n_by_triage == local.totals.n_by_triage
    assert spread.totals.n_rows == local.totals.n_rows
    pd.testing.assert_frame_equal(read_sorted(tmp_path / "spark"), read_sorted(tmp_path / "local"), atol=1e-6, rtol=0)
    rejects = [(tmp_path / name / "_rejects.csv").read_text(encoding="utf-8") for name in ("spark", "local")]
    assert rejects[0] == rejects[1]
    assert rejects[0].count("id is not unique") == 11


def test_equal_batches_give_equal_bits(spark: Any, bundle: Path, tmp_path: Path, one_thread: None) -> None:
    from pipelines.spark.frames import score_posts_frame

    import_mlflow()
    export_screener(bundle, tmp_path / "model")
    posts = make_posts(N_POSTS)
    posts.to_parquet(tmp_path / "posts.parquet", index=False)
    frame = spark.read.parquet(str(tmp_path / "posts.parquet")).coalesce(1)
    score_posts_frame(spark, frame, tmp_path / "model").write.parquet(str(tmp_path / "scores"))
    scores = pd.read_parquet(tmp_path / "scores")
    expected = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    pd.testing.assert_frame_equal(scores[list(expected)], expected, check_exact=True, check_dtype=False)


def test_a_killed_worker_costs_no_row_and_doubles_none_and_each_worker_loads_once(
    spark: Any, bundle: Path, tmp_path: Path
) -> None:
    from pipelines.spark.frames import score_posts_frame

    import_mlflow()
    model, log = tmp_path / "model", tmp_path / "calls.log"
    export_screener(bundle, model)
    with (model / "model_code.py").open("a", encoding="utf-8") as code:
        code.write(WATCHER.format(log=str(log)))
    posts = make_posts(N_POSTS)
    posts.to_parquet(tmp_path / "posts.parquet", index=False)
    frame = spark.read.parquet(str(tmp_path / "posts.parquet")).repartition(8, "post_id")
    killed: list[int] = []
    killer = threading.Thread(target=partial(kill_first_caller, log, killed))
    killer.start()
    score_posts_frame(spark, frame, model).write.parquet(str(tmp_path / "scores"))
    killer.join()

    scores = read_sorted(tmp_path / "scores")
    expected = Screener.load(bundle).score(posts["text"].tolist(), posts["post_id"].tolist())
    assert scores["post_id"].tolist() == posts["post_id"].tolist()
    pd.testing.assert_frame_equal(scores[list(expected)], expected, atol=1e-6, rtol=0, check_dtype=False)
    calls = [tuple(map(int, line.split())) for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(killed) == 1
    assert len(calls) >= 9  # eight partitions, and that of the killed worker once more
    loads = {pid: {misses for caller, misses, _ in calls if caller == pid} for pid, _, _ in calls}
    assert all(len(found) == 1 for found in loads.values())  # no process loaded the bundle again
    assert len(loads) < len(calls)  # though some were asked several times


def kill_first_caller(log: Path, killed: list[int]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        if lines:
            killed.append(int(lines[0].split()[0]))
            os.kill(killed[0], signal.SIGKILL)
            return
        time.sleep(0.05)


def test_standard_input_is_refused(spark: Any, bundle: Path, tmp_path: Path) -> None:
    from pipelines.spark.engine import score_with_spark
    from screening.exceptions import ConfigError

    options = ScoreOptions(text_format="jsonl", progress=False)
    with pytest.raises(ConfigError, match="reads files"):
        score_posts(["-"], bundle, tmp_path / "out", options, engine=score_with_spark)
    assert not (tmp_path / "out").exists()


def test_finished_scores_stay_unless_they_may_be_replaced_and_as_long_as_spark_fails(
    spark: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.spark import engine
    from screening.exceptions import ConfigError

    posts, out = tmp_path / "posts.csv", tmp_path / "out"
    make_posts(20).to_csv(posts, index=False)
    options = ScoreOptions(progress=False)
    score_posts([posts], bundle, out, options, engine=engine.score_with_spark)
    before = read_sorted(out)
    make_posts(21).to_csv(posts, index=False)
    with pytest.raises(ConfigError, match="finished job"):
        score_posts([posts], bundle, out, options, engine=engine.score_with_spark)
    may = ScoreOptions(progress=False, overwrite=True)
    monkeypatch.setattr(engine, "score_posts_frame", lambda *_: 1 / 0)  # stands for a cluster that fails
    with pytest.raises(ZeroDivisionError):
        score_posts([posts], bundle, out, may, engine=engine.score_with_spark)
    pd.testing.assert_frame_equal(read_sorted(out), before)
    monkeypatch.undo()
    assert score_posts([posts], bundle, out, may, engine=engine.score_with_spark).totals.n_posts == 21


def test_an_unfinished_job_keeps_its_parts_as_long_as_spark_fails(
    spark: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.spark import engine

    posts, out = tmp_path / "posts.csv", tmp_path / "out"
    make_posts(20).to_csv(posts, index=False)
    score_posts([posts], bundle, out, ScoreOptions(progress=False))
    (out / UNFINISHED).touch()  # as a kill before the last part leaves it
    before = read_sorted(out)
    monkeypatch.setattr(engine, "score_posts_frame", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score_posts([posts], bundle, out, ScoreOptions(progress=False), engine=engine.score_with_spark)
    pd.testing.assert_frame_equal(read_sorted(out), before)
