"""Explanations are of the texts that were scored: other texts under the same ids are refused, rounding is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.explaining.summary import Method
from pipelines.explaining.work import explain_part, plan_work
from pipelines.stages.explain import ExplainOptions, explain_flagged
from screening.bundle import load_bundle
from screening.exceptions import SchemaError
from screening.scoring import Screener

TEXTS = [f"{word} {letter} no sleep" for word in ("happy", "my dog", "tired", "today") for letter in "abcxyz"]
IDS = [f"p{i}" for i in range(len(TEXTS))]
RISK = "risk_suicidewatch"


@pytest.fixture(scope="module")
def scores(tiny_bundle: Path) -> pd.DataFrame:
    screener = Screener.load(tiny_bundle)
    return screener.score(TEXTS, IDS).assign(model_version=screener.version, triage="review")


@pytest.fixture
def posts() -> pd.DataFrame:
    return pd.DataFrame({"post_id": IDS, "text": TEXTS})


def _shuffle(posts: pd.DataFrame) -> pd.DataFrame:
    return posts.assign(text=np.random.default_rng(0).permutation(posts["text"]))


def _move(risks: pd.Series, log_odds: float | np.ndarray) -> pd.Series:
    return 1 / (1 + (1 / risks - 1) * np.exp(-log_odds))


def _check(scores: pd.DataFrame, posts: pd.DataFrame, bundle_dir: Path) -> None:
    work = plan_work(scores, posts, load_bundle(bundle_dir))
    explain_part(work, lambda *_, **__: pd.DataFrame(), slice(0, len(work.post_ids)), work.heads[0])


@pytest.mark.parametrize("method", ["words", "sentences", "preview"])
@pytest.mark.parametrize("head", ["class:any_risk", "valence"])
def test_shuffled_texts_under_the_same_ids_are_refused_by_id_without_a_word_of_them(
    method: Method, head: str, scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flagged.parquet"
    options = ExplainOptions(method=method, head=head, progress=False)
    with pytest.raises(SchemaError, match=r"expected the texts that were scored.*first: p\d+, p.*score again") as error:
        explain_flagged(scores, _shuffle(posts), tiny_bundle, out, options)
    assert not out.exists()
    assert not any(word in str(error.value) for word in ("happy", "my dog", "tired", "sleep"))


def test_once_the_posts_are_put_right_the_same_call_goes_on(
    scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path, tmp_path: Path
) -> None:
    out, options = tmp_path / "flagged.parquet", ExplainOptions(method="preview", progress=False)
    with pytest.raises(SchemaError, match="expected the texts that were scored"):
        explain_flagged(scores, _shuffle(posts), tiny_bundle, out, options)
    assert explain_flagged(scores, posts, tiny_bundle, out, options).n_explained == len(TEXTS)


def test_scores_rounded_to_four_digits_are_those_of_the_same_texts(
    scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path
) -> None:
    _check(scores.round(4), posts, tiny_bundle)


@pytest.mark.parametrize("sign", [1, -1])
def test_in_fp32_a_tenth_in_log_odds_is_let_pass(
    sign: int, scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path
) -> None:
    _check(scores.assign(**{RISK: _move(scores[RISK], sign * 0.09)}), posts, tiny_bundle)
    with pytest.raises(SchemaError, match=r"24 of 24 posts whose log-odds of suicidewatch .* more than 0\.1 "):
        _check(scores.assign(**{RISK: _move(scores[RISK], sign * 0.11)}), posts, tiny_bundle)


def test_in_bf16_one_in_log_odds_is_let_pass(
    save_small_bundle: Callable[..., Path], scores: pd.DataFrame, posts: pd.DataFrame, tmp_path: Path
) -> None:
    folder = save_small_bundle(tmp_path / "bundle", precision="bf16")
    scores = scores.assign(model_version=load_bundle(folder).version)
    _check(scores.assign(**{RISK: _move(scores[RISK], 0.9)}), posts, folder)
    with pytest.raises(SchemaError, match="more than 1 "):
        _check(scores.assign(**{RISK: _move(scores[RISK], 1.1)}), posts, folder)


def test_one_post_in_ten_may_be_off_and_no_more(scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path) -> None:
    for n_off in (1, 2):
        _check(scores.assign(**{RISK: _move(scores[RISK], 3.0 * (np.arange(24) < n_off))}), posts, tiny_bundle)
    with pytest.raises(SchemaError, match="3 of 24 posts"):
        _check(scores.assign(**{RISK: _move(scores[RISK], 3.0 * (np.arange(24) < 3))}), posts, tiny_bundle)


def test_a_single_post_of_another_text_is_refused(scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path) -> None:
    top, low = int(scores[RISK].argmax()), int(scores[RISK].argmin())
    with pytest.raises(SchemaError, match=f"1 of 1 posts .*first: {IDS[top]}"):
        _check(scores.iloc[[top]], posts.assign(text=TEXTS[low]), tiny_bundle)


def test_scores_too_near_to_one_for_their_log_odds_are_compared_as_near_to_one(
    save_small_bundle: Callable[..., Path], posts: pd.DataFrame, scores: pd.DataFrame, tmp_path: Path
) -> None:
    from screening.calibration.temperature import TemperatureScaling

    folder = save_small_bundle(tmp_path / "bundle", temperature=TemperatureScaling(temperature=0.01, n_samples=100))
    screener = Screener.load(folder)
    certain = screener.score(TEXTS, IDS).assign(model_version=screener.version, triage="review")
    risks = certain["risk_any_risk"]
    assert risks.eq(1).any()
    _check(certain, posts, folder)
    _check(certain.assign(risk_suicidewatch=certain[RISK].round(12)), posts, folder)


def test_texts_are_compared_once_for_all_heads(
    scores: pd.DataFrame, posts: pd.DataFrame, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from screening.inference.scoring_path import ScoringPath

    work = plan_work(scores, posts, load_bundle(tiny_bundle), head="all")
    calls: list[int] = []
    compute = ScoringPath.compute_logits

    def count(path: ScoringPath, texts: list[str], *rest: Any) -> Any:
        calls.append(len(texts))
        return compute(path, texts, *rest)

    monkeypatch.setattr(ScoringPath, "compute_logits", count)
    for head in work.heads:
        explain_part(work, lambda *_, **__: pd.DataFrame(), slice(0, 5), head)
    assert calls == [5]
