"""The screener keeps the calibrated path: same precision, same cleaning, whole batches or a refusal."""

import json
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from screening import path_checks, scoring
from screening.bundle import BundleManifest, load_manifest
from screening.data.sources import Columns, select_columns
from screening.exceptions import BundleError, ConfigError, NotCalibratedError, SchemaError
from screening.inference import backends, quantisation
from screening.models.baseline import TfidfBaseline
from screening.models.quantised import QuantisedModel
from screening.reference_posts import REFERENCE_POSTS
from screening.scoring import Screener, compute_risk_scores
from screening.taxonomy import load_taxonomy

TEXTS = ["so tired today", "my dog is happy " * 30, "no sleep, i feel so tired", "😀"]
SaveBundle = Callable[..., Path]


@pytest.fixture(scope="module")
def bundle_dir(save_small_bundle: SaveBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bundle(tmp_path_factory.mktemp("scoring") / "bundle")


@pytest.fixture(scope="module")
def screener(bundle_dir: Path) -> Screener:
    return Screener.load(bundle_dir)


def test_the_score_table_has_the_agreed_columns_and_no_text(screener: Screener) -> None:
    table = screener.score(TEXTS, ["a", "b", "c", "d"])
    names = load_taxonomy("mh5").names
    expected = ["post_id", *(f"prob_{name}" for name in names), "valence", "intensity"]
    expected += ["risk_suicidewatch", "risk_any_risk", "triage", "n_tokens", "n_windows", "is_truncated", "is_cleared"]
    assert list(table.columns) == expected
    assert table["post_id"].tolist() == ["a", "b", "c", "d"]
    assert table["is_truncated"].tolist() == [False, True, False, False]
    assert set(table.select_dtypes("str").columns) == {"post_id", "triage"}


def test_no_group_column_may_be_named_like_a_column_of_the_score_table(screener: Screener) -> None:
    names = list(screener.score(TEXTS).columns)
    with pytest.raises(ConfigError) as caught:
        select_columns(pd.DataFrame(), Columns("text", groups=tuple(names)), where="posts", stem="posts")
    assert str(sorted(names)) in str(caught.value)


def test_valence_and_intensity_of_untrained_heads_are_left_empty(
    screener: Screener, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = screener.score(TEXTS)
    assert said[["valence", "intensity"]].notna().all().all()
    monkeypatch.setattr(screener.bundle.classifier.config, "has_trained_scales", False)
    left_empty = screener.score(TEXTS)
    assert left_empty[["valence", "intensity"]].isna().all().all()
    others = [name for name in said if name not in ("valence", "intensity")]
    pd.testing.assert_frame_equal(left_empty[others], said[others])


def test_probabilities_are_scaled_by_the_bundles_temperature(
    screener: Screener, bert_classifier: Any, bert_tokenizer: Any
) -> None:
    import torch

    with torch.no_grad():
        logits = bert_classifier(bert_tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]).logits.numpy()
    expected = softmax(logits / 1.7, axis=1)
    found = screener.score(TEXTS).filter(like="prob_").to_numpy()
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)  # float32 logits
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


WORDS = TfidfBaseline.fit(
    ["so tired today", "so tired again", "my happy dog", "my happy cat", "no sleep at all", "no sleep for me"] * 2,
    np.array([0, 0, 3, 3, 1, 1, 2, 2, 4, 4, 1, 1]),
    5,
    seed=0,
)


def test_an_ensemble_adds_the_word_models_logits_to_the_encoders(
    save_small_bundle: SaveBundle, screener: Screener, tmp_path: Path
) -> None:
    folder = save_small_bundle(tmp_path / "b", words=WORDS, words_weight=0.7)
    both, alone = Screener.load(folder).score(TEXTS), screener.score(TEXTS)
    scaled = np.log(alone.filter(like="prob_").to_numpy()) + 0.7 * WORDS.compute_logits(TEXTS) / 1.7
    np.testing.assert_allclose(both.filter(like="prob_").to_numpy(), softmax(scaled, axis=1), atol=1e-6)
    pd.testing.assert_frame_equal(both[["valence", "intensity"]], alone[["valence", "intensity"]])
    reverse = Screener.load(folder).score(TEXTS[::-1]).iloc[::-1].reset_index(drop=True)
    np.testing.assert_allclose(reverse["risk_any_risk"], both["risk_any_risk"], atol=1e-6)


def test_risk_is_the_sum_of_the_targets_probabilities_and_stays_in_bounds() -> None:
    rng = np.random.default_rng(0)
    probabilities = softmax(rng.normal(size=(500, 5)) * 20, axis=1)
    risks = compute_risk_scores(probabilities, load_taxonomy("mh5"))
    np.testing.assert_array_equal(risks["suicidewatch"], probabilities[:, 1])
    np.testing.assert_allclose(risks["any_risk"], 1 - probabilities[:, 3], atol=1e-12)
    assert risks["any_risk"].max() <= 1


def test_triage_follows_the_operating_points_and_the_most_urgent_wins(screener: Screener) -> None:
    table = screener.score([f"i feel {'so ' * i}tired {letter}" for i in range(8) for letter in "abc"])
    thresholds = {point.name: point.threshold for point in screener.manifest.operating_points}
    refer = table["risk_suicidewatch"] >= thresholds["suicidewatch"]
    review = table["risk_any_risk"] >= thresholds["any_risk"]
    expected = np.where(refer, "refer", np.where(review, "review", "no_flag"))
    assert table["triage"].tolist() == expected.tolist()
    assert len(set(expected)) > 1


def test_texts_are_cleaned_as_in_training(screener: Screener) -> None:
    table = screener.score(["so tired today", " so   ti\u200bred\u00a0today\r\n"], ["clean", "dirty"])
    columns = [name for name in table.columns if name != "post_id"]
    pd.testing.assert_series_equal(table.loc[0, columns], table.loc[1, columns], check_names=False)


def test_chunks_change_nothing_but_memory(screener: Screener, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = screener.score(TEXTS)
    monkeypatch.setattr(scoring, "CHUNK_SIZE", 3)
    calls: list[tuple[int, int]] = []
    pd.testing.assert_frame_equal(screener.score(TEXTS, on_progress=lambda *call: calls.append(call)), whole, atol=1e-5)
    assert [n_done for n_done, _ in calls] == sorted({n_done for n_done, _ in calls})
    assert calls[-1] == (4, 4)


def test_no_texts_give_an_empty_table_with_the_same_columns(screener: Screener) -> None:
    empty, full = screener.score([]), screener.score(TEXTS)
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)


def test_numbers_are_taken_as_ids_and_missing_ids_are_counted_from_one(screener: Screener) -> None:
    assert screener.score(TEXTS[:2], [7, np.int64(8)])["post_id"].tolist() == ["7", "8"]  # type: ignore[list-item]
    assert screener.score(TEXTS[:2])["post_id"].tolist() == ["post-1", "post-2"]


@pytest.mark.parametrize("bad", [None, 3, float("nan"), "", " \n", "\u200b", "secret\x00", "secret\ud800"])
def test_a_bad_text_is_refused_by_id_and_never_shown(screener: Screener, bad: object) -> None:
    with pytest.raises(SchemaError, match="p2") as caught:
        screener.score(["fine", bad], ["p1", "p2"])  # type: ignore[list-item]
    assert "secret" not in str(caught.value)
    assert "p1" not in str(caught.value)


def test_repeated_ids_are_refused(screener: Screener) -> None:
    with pytest.raises(SchemaError, match="not unique"):
        screener.score(["one", "two"], ["p1", "p1"])


@pytest.mark.parametrize(("texts", "ids"), [("one string", None), (["one"], ["a", "b"])])
def test_texts_and_ids_must_be_sequences_of_one_length(screener: Screener, texts: Any, ids: Any) -> None:
    with pytest.raises(ValueError, match="one post id per text"):
        screener.score(texts, ids)


def test_another_precision_than_the_calibrated_one_is_refused_with_the_way_out(bundle_dir: Path) -> None:
    assert Screener.load(bundle_dir, precision="fp32").manifest.precision == "fp32"
    with pytest.raises(NotCalibratedError, match=r"with training\.precision=fp32.*calibrate again"):
        Screener.load(bundle_dir, precision="bf16")


def test_another_backend_than_the_calibrated_one_is_refused_with_the_way_out(bundle_dir: Path) -> None:
    assert Screener.load(bundle_dir, backend="torch").manifest.backend == "torch"
    with pytest.raises(NotCalibratedError, match=r"backend=torch.*calibrate again with inference\.backend=openvino"):
        Screener.load(bundle_dir, backend="openvino")


def test_a_bundle_is_refused_where_its_backend_is_not_installed(
    save_small_bundle: SaveBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_small_bundle(tmp_path / "bundle", backend="openvino")
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    with pytest.raises(NotCalibratedError, match=r"not installed.*pip install.*or calibrate again"):
        Screener.load(folder)


@pytest.mark.skipif(not backends.is_installed("openvino"), reason="needs the extra openvino")
def test_a_bundle_calibrated_on_openvino_scores_as_torch_does(
    save_small_bundle: SaveBundle, bundle_dir: Path, tmp_path: Path
) -> None:
    other = Screener.load(save_small_bundle(tmp_path / "bundle", backend="openvino")).score(TEXTS)
    same = Screener.load(bundle_dir).score(TEXTS)
    pd.testing.assert_frame_equal(other, same, check_exact=False, rtol=0, atol=1e-5)  # fp32 sums in another order


def test_a_quantised_bundle_scores_with_what_it_holds_and_needs_no_nncf(
    save_small_bundle: SaveBundle, small_quantised: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Screener.load(save_small_bundle(tmp_path / "exact", backend="openvino")).score(TEXTS)
    made = {"backend": "openvino", "quantisation": "int8", "quantised": small_quantised}
    folder = save_small_bundle(tmp_path / "bundle", **made)
    monkeypatch.setitem(sys.modules, "nncf", None)  # an import of it fails
    found = Screener.load(folder).score(TEXTS)
    risks = ["risk_suicidewatch", "risk_any_risk"]
    assert not np.allclose(found[risks], exact[risks], atol=1e-4)
    np.testing.assert_allclose(found[risks], exact[risks], atol=0.3)  # random weights, wide on purpose


def test_a_quantised_bundle_is_refused_unquantised_and_the_other_way_round(
    save_small_bundle: SaveBundle, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"backend": "openvino", "quantisation": "int8", "quantised": QuantisedModel(b"<net/>", b"0")}
    folder = save_small_bundle(tmp_path / "bundle", **made)
    with pytest.raises(NotCalibratedError, match=r"quantisation=int8.*again with inference\.quantisation=none"):
        Screener.load(folder, quantisation="none")
    with pytest.raises(NotCalibratedError, match=r"quantisation=none.*again with inference\.quantisation=int8"):
        Screener.load(bundle_dir, quantisation="int8")
    monkeypatch.setattr(quantisation, "detect_int8", lambda: False)
    monkeypatch.setattr(backends, "is_installed", lambda _: True)
    monkeypatch.setattr(path_checks, "find_versions", lambda _: {})
    with pytest.raises(NotCalibratedError, match="AVX512-VNNI"):
        Screener.load(folder)


@pytest.mark.parametrize(("field", "default"), [("backend", "torch"), ("quantisation", "none")])
def test_a_bundle_from_before_a_choice_there_is_now_has_its_default(bundle_dir: Path, field: str, default: str) -> None:
    manifest = json.loads((bundle_dir / "screener.json").read_text(encoding="utf-8"))
    del manifest[field]
    assert getattr(BundleManifest.model_validate(manifest), field) == default


def test_a_bundle_is_scored_in_its_own_precision_and_slowness_is_said(
    save_small_bundle: SaveBundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "detect_precision", lambda device_type: "fp32")
    folder = save_small_bundle(tmp_path / "bundle", precision="bf16")
    with caplog.at_level(logging.WARNING):
        reduced = Screener.load(folder)
    assert "only emulates" in caplog.text
    exact = Screener.load(save_small_bundle(tmp_path / "exact"))
    assert not np.array_equal(reduced.score(TEXTS)["valence"], exact.score(TEXTS)["valence"])


def test_a_bundle_without_an_operating_point_per_target_is_refused(
    save_small_bundle: SaveBundle, bundle_dir: Path, tmp_path: Path
) -> None:
    points = load_manifest(bundle_dir).operating_points
    folder = save_small_bundle(tmp_path / "bundle", operating_points=points[:1])
    with pytest.raises(NotCalibratedError, match="any_risk"):
        Screener.load(folder)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        Screener.load(tmp_path)


def test_no_text_is_logged(screener: Screener, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        screener.score(["zebrafish on the balcony", "i feel so tired zebrafish " * 40])
    assert "zebrafish" not in caplog.text


def test_other_versions_than_those_of_calibration_are_said(
    bundle_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_dir, folder)
    manifest = json.loads((folder / "screener.json").read_text())
    Screener.load(folder)
    assert _list_ours(caplog) == []
    manifest["versions"] = {**backends.find_versions("torch"), "torch": "1.0.0"}
    (folder / "screener.json").write_text(json.dumps(manifest))
    Screener.load(folder)
    (said,) = _list_ours(caplog)
    assert "the bundle is calibrated with torch 1.0.0 (here " in said
    assert "transformers" not in said


def _list_ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List what the toolkit logged; other libraries say things of their own."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("screening")]


def remember(screener: Screener, shift: float = 0.0) -> tuple[tuple[float, ...], ...]:
    logits = screener.path.compute_logits(REFERENCE_POSTS).logits.astype(float)
    logits[2, 1] += shift  # one class of one post
    return tuple(map(tuple, logits.tolist()))


def test_a_machine_that_computes_what_was_computed_when_calibrating_is_welcome(
    save_small_bundle: SaveBundle, screener: Screener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = {**backends.find_versions("torch"), "torch": "1.0.0"}
    folder = save_small_bundle(tmp_path / "b", reference_logits=remember(screener), versions=versions)
    Screener.load(folder)
    assert not caplog.text  # other versions that compute the same need no warning


@pytest.mark.parametrize(
    ("versions", "why"),
    [({}, "so it is this machine"), ({"torch": "1.0.0"}, r"packages changed: torch 1\.0\.0 \(here")],
)
def test_a_machine_that_computes_otherwise_is_refused_with_the_way_out(
    save_small_bundle: SaveBundle, screener: Screener, tmp_path: Path, versions: dict[str, str], why: str
) -> None:
    # fp32 allows for 1e-4 in log-odds; the temperature is 1.7
    folder = save_small_bundle(tmp_path / "b", reference_logits=remember(screener, 0.01), versions=versions)
    with pytest.raises(NotCalibratedError, match=rf"made posts score up to 0\.00.*{why}.*Calibrate the run again here"):
        Screener.load(folder)
    near = save_small_bundle(tmp_path / "near", reference_logits=remember(screener, 5e-5))
    Screener.load(near)


def test_reference_logits_of_other_posts_are_refused(
    save_small_bundle: SaveBundle, screener: Screener, tmp_path: Path
) -> None:
    with pytest.raises(NotCalibratedError, match="score up to inf"):
        Screener.load(save_small_bundle(tmp_path / "b", reference_logits=remember(screener)[:2]))
