"""The first stage's score depends on a post's words alone, wherever the post stands, and keeps no word."""

from pathlib import Path

import numpy as np
import pytest

from screening.exceptions import BundleError
from screening.models import gate as gate_module
from screening.models.gate import GATE_FILE, N_BUCKETS, Gate, build_features, hash_words

RISKY = [f"i feel so tired and alone, day {i}" for i in range(30)]
HARMLESS = [f"my dog ran in the park, day {i}" for i in range(30)]
IS_RISK = np.arange(60) < 30


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.fit([*RISKY, *HARMLESS], IS_RISK, seed=0)


def list_buckets(text: str) -> dict[int, float]:
    words = hash_words([text.lower().encode()])
    return dict(zip(words.bucket.tolist(), words.weight.tolist(), strict=True))


def test_a_word_has_one_bucket_wherever_it_stands() -> None:
    alone = list_buckets("tired")
    assert len(alone) == 1
    for text in ("tired", "so tired", "“tired”—so", "TIRED!", "x" * 5_000 + " tired"):
        assert alone.keys() <= list_buckets(text).keys(), text
    assert not alone.keys() & list_buckets("untired tiredness ti red").keys()


def test_words_of_one_post_do_not_count_for_another() -> None:
    words = hash_words([b"dog cat dog", b"", b"...", b"cat"])
    assert words.post.tolist() == [0, 0, 3]
    assert sorted(words.weight.tolist()) == pytest.approx([1, 1, 1 + np.log(2)])


def test_any_other_script_is_hashed_as_words() -> None:
    assert len(list_buckets("нет сил 😀")) == 3
    assert len(list_buckets("non-ascii: café, naïve")) == 4


def test_scores_do_not_depend_on_batch_or_order(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*RISKY, "", "!!!", *HARMLESS, "word " * 3_000, "😀 нет"]
    expected = gate.compute_scores(texts)
    np.testing.assert_array_equal(gate.compute_scores(texts[::-1])[::-1], expected)
    np.testing.assert_array_equal(np.concatenate([gate.compute_scores([text]) for text in texts]), expected)
    monkeypatch.setattr(gate_module, "_POSTS_AT_A_TIME", 7)
    np.testing.assert_array_equal(gate.compute_scores(texts), expected)


def test_scores_are_the_linear_score_of_the_features(gate: Gate) -> None:
    features = build_features([*RISKY, *HARMLESS])
    np.testing.assert_allclose(np.sqrt(features.multiply(features).sum(axis=1)), 1)
    expected = features @ gate.coefficients + gate.intercept
    np.testing.assert_allclose(gate.compute_scores([*RISKY, *HARMLESS]), expected, atol=1e-12)


def test_the_gate_separates_and_knows_nothing_of_unknown_words(gate: Gate) -> None:
    scores = gate.compute_scores(["tired and alone", "dog in the park", "zyx", "?", ""])
    assert scores[0] > gate.intercept > scores[1]
    assert scores[2:].tolist() == [gate.intercept] * 3


def test_held_out_scores_are_those_of_a_gate_fitted_without_the_fold() -> None:
    texts = [*RISKY, *HARMLESS]
    folds = np.where(IS_RISK, np.arange(60) % 3, -1)
    scores = Gate.score_held_out(texts, IS_RISK, folds, seed=0)
    rest = folds != 1
    other = Gate.fit([text for text, is_kept in zip(texts, rest, strict=True) if is_kept], IS_RISK[rest], seed=0)
    held_out = [text for text, is_kept in zip(texts, rest, strict=True) if not is_kept]
    np.testing.assert_allclose(scores[~rest], other.compute_scores(held_out), atol=1e-12)
    assert np.isnan(scores[folds == -1]).all()


def test_a_saved_gate_scores_the_same_and_holds_no_word(gate: Gate, tmp_path: Path) -> None:
    gate.save(tmp_path)
    np.testing.assert_array_equal(Gate.load(tmp_path).compute_scores(RISKY), gate.compute_scores(RISKY))
    assert b"tired" not in (tmp_path / GATE_FILE).read_bytes()


def test_a_missing_or_foreign_file_and_posts_of_one_kind_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    with pytest.raises(BundleError, match="calibrate the run again"):
        Gate.load(tmp_path)
    save_file({"coefficients": np.zeros(3), "intercept": np.zeros(1)}, tmp_path / GATE_FILE)
    with pytest.raises(BundleError, match=f"expected {N_BUCKETS} weights"):
        Gate.load(tmp_path)
    with pytest.raises(ValueError, match="found 30 risk posts among 30"):
        Gate.fit(RISKY, np.ones(30, dtype=bool), seed=0)


def test_no_posts_give_no_scores(gate: Gate) -> None:
    assert gate.compute_scores([]).shape == (0,)
