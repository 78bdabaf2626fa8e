"""What was scored is read again as it was scored, however the input looks."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pipelines.scoring.job import ScoreOptions, score_posts
from pipelines.scoring.scored_posts import read_scored_posts


def test_scored_posts_are_those_of_the_score_table(save_small_bundle: Callable[..., Path], tmp_path: Path) -> None:
    folder, bundle = tmp_path / "posts", save_small_bundle(tmp_path / "bundle")
    (folder / "more").mkdir(parents=True)
    pd.DataFrame({"text": ["so tired ", "", "my dog"]}).to_csv(folder / "a.csv", index=False)
    pd.DataFrame({"text": ["happy&amp;tired", None]}).to_parquet(folder / "more" / "a.parquet")
    (folder / "b.jsonl").write_text('{broken\n{"text": "no sleep"}\n', encoding="utf-8")
    score_posts([folder], bundle, tmp_path / "scores", ScoreOptions(progress=False, part_rows=2))
    posts = read_scored_posts(folder, text_column="text", id_column=None)
    assert dict(zip(posts["post_id"], posts["text"], strict=True)) == {
        "a-1": "so tired",
        "a-3": "my dog",
        "b-2": "no sleep",
        "a.2-1": "happy&tired",
    }
    assert posts["post_id"].tolist() == pd.read_parquet(tmp_path / "scores")["post_id"].tolist()
