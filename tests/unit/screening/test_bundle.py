import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from screening.bundle import MANIFEST, load_bundle, load_manifest
from screening.exceptions import BundleError
from screening.models.baseline import TfidfBaseline
from screening.models.encoder import compute_file_digest
from screening.models.quantised import QuantisedModel

SaveBundle = Callable[..., Path]


def test_bundle_comes_back_as_it_was_saved(save_small_bundle: SaveBundle, bert_classifier: Any, tmp_path: Path) -> None:
    bundle = load_bundle(save_small_bundle(tmp_path / "b"))
    assert all(
        torch.equal(a, b) for a, b in zip(bundle.classifier.parameters(), bert_classifier.parameters(), strict=True)
    )
    assert bundle.manifest.operating_points[0].threshold == 0.45
    assert len(bundle.version) == 12
    assert {path.suffix for path in (tmp_path / "b").iterdir()} <= {".json", ".safetensors"}


def test_saving_again_replaces_the_bundle_and_leaves_nothing_aside(
    save_small_bundle: SaveBundle, tmp_path: Path
) -> None:
    first = load_bundle(save_small_bundle(tmp_path / "b")).version
    second = load_bundle(save_small_bundle(tmp_path / "b", name="other")).version
    assert first != second
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_altered_file_is_refused_by_name(save_small_bundle: SaveBundle, name: str, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    with (folder / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_added_and_missing_files_are_refused(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    (folder / "modeling_evil.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(BundleError, match=r"modeling_evil\.py"):
        load_bundle(folder)
    (folder / "modeling_evil.py").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        load_bundle(folder)


def test_code_is_refused_even_when_the_manifest_lists_it(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["digests"]["modeling_evil.py"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match="refusing"):
        load_bundle(folder)


def _rewrite(folder: Path, name: str, text: str) -> None:
    """Put other text into a file of a bundle and its digest into the manifest, as a forger would."""
    (folder / name).write_text(text, encoding="utf-8")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["digests"][name] = compute_file_digest(folder / name)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "path"), [("tokenizer_config.json", ()), ("config.json", ()), ("config.json", ("encoder",))]
)
def test_a_bundle_that_names_code_to_run_is_refused_without_a_question(
    save_small_bundle: SaveBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, path: tuple[str, ...]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked whether foreign code may run"))
    folder = save_small_bundle(tmp_path / "b")
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    node = content
    for part in path:
        node = node[part]
    node |= {"auto_map": {"AutoTokenizer": [None, "someone/code--tokens.Theirs"]}, "tokenizer_class": "Theirs"}
    _rewrite(folder, name, json.dumps(content))
    with pytest.raises(BundleError, match=rf"auto_map in {name}; refusing"):
        load_bundle(folder)


def test_auto_map_as_a_word_of_a_vocabulary_names_no_code(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"]["auto_map"] = len(content["model"]["vocab"])
    _rewrite(folder, "tokenizer.json", json.dumps(content))
    assert "auto_map" in load_bundle(folder).tokenizer.get_vocab()


def test_a_file_that_is_no_json_is_refused_by_name(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    _rewrite(folder, "config.json", "{")
    with pytest.raises(BundleError, match=r"config\.json is not JSON"):
        load_bundle(folder)


def test_a_quantised_classifier_is_part_of_the_bundle_and_of_its_digests(
    save_small_bundle: SaveBundle, tmp_path: Path
) -> None:
    quantised = QuantisedModel(b"<net/>", b"0123")
    folder = save_small_bundle(tmp_path / "b", backend="openvino", quantisation="int8", quantised=quantised)
    assert load_bundle(folder).quantised == quantised
    assert load_bundle(save_small_bundle(tmp_path / "plain")).quantised is None
    for name in ("quantised.xml", "quantised.bin"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b" ")
        with pytest.raises(BundleError, match=name):
            load_bundle(folder)
        (folder / name).write_bytes(content)


def _fit_words(n_labels: int) -> TfidfBaseline:
    texts = [f"red word{i} {other}" for i in range(n_labels) for other in ("sea", "oak")]
    return TfidfBaseline.fit(texts, np.repeat(np.arange(n_labels), 2), n_labels, seed=0)


def test_a_word_model_is_part_of_the_bundle_and_of_its_digests(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    words = _fit_words(5)
    folder = save_small_bundle(tmp_path / "b", words_weight=1.0, words=words)
    loaded = load_bundle(folder).words
    assert loaded is not None
    assert loaded.compute_logits(["red oak"]).tolist() == words.compute_logits(["red oak"]).tolist()
    assert load_bundle(save_small_bundle(tmp_path / "plain")).words is None
    path = folder / "baseline.safetensors"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"baseline\.safetensors"):
        load_bundle(folder)


def test_a_bundle_that_gives_words_a_weight_and_holds_none_is_refused(
    save_small_bundle: SaveBundle, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="no whole baseline"):
        load_bundle(save_small_bundle(tmp_path / "b", words_weight=1.0))


@pytest.mark.parametrize("name", ["coefficients", "intercept", "term_digests", "inverse_document_frequency"])
def test_a_word_model_with_a_tensor_cut_short_is_refused(
    save_small_bundle: SaveBundle, tmp_path: Path, name: str
) -> None:
    words = _fit_words(5)
    setattr(words, name, getattr(words, name)[..., :-1].copy())
    with pytest.raises(BundleError, match=rf"expected {name} of its word model .* of shape \("):
        load_bundle(save_small_bundle(tmp_path / "b", words_weight=1.0, words=words))


def test_a_word_model_of_other_labels_is_refused(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"coefficients .* of shape \(5, \d+\), found shape \(2, \d+\)"):
        load_bundle(save_small_bundle(tmp_path / "b", words_weight=1.0, words=_fit_words(2)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["coefficients", "intercept", "inverse_document_frequency"])
def test_a_word_model_with_a_value_that_is_not_finite_is_refused(
    save_small_bundle: SaveBundle, tmp_path: Path, name: str, value: float
) -> None:
    words = _fit_words(5)
    getattr(words, name).flat[0] = value
    with pytest.raises(BundleError, match=rf"{name} of its word model .* and 1 values not finite"):
        load_bundle(save_small_bundle(tmp_path / "b", words_weight=1.0, words=words))


def test_a_bundle_that_says_int8_and_holds_none_is_refused(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no whole quantised model"):
        load_bundle(save_small_bundle(tmp_path / "b", backend="openvino", quantisation="int8"))


@pytest.mark.parametrize(("quantisation", "name"), [("none", "quantised.bin"), ("int8", "pytorch_model.bin")])
def test_no_other_binary_file_is_let_in(
    save_small_bundle: SaveBundle, tmp_path: Path, quantisation: str, name: str
) -> None:
    folder = save_small_bundle(tmp_path / "b", quantisation=quantisation, quantised=QuantisedModel(b"", b""))
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["digests"][name] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match=rf"{name}.*refusing"):
        load_bundle(folder)


def test_threshold_survives_the_manifest_to_the_last_bit(save_small_bundle: SaveBundle, tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "b")
    manifest = load_manifest(folder)
    value = 0.1 + 0.2  # has no short decimal form
    points = (manifest.operating_points[0].model_copy(update={"threshold": value}), manifest.operating_points[1])
    text = manifest.model_copy(update={"operating_points": points}).model_dump_json()
    assert type(manifest).model_validate_json(text).operating_points[0].threshold == value


def test_folder_without_manifest_says_what_a_bundle_is(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="screening calibrate"):
        load_manifest(tmp_path)


def test_manifest_of_another_format_is_refused_without_quoting_it(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format_version": 9, "name": "private words"}', encoding="utf-8")
    with pytest.raises(BundleError, match="format_version") as caught:
        load_manifest(tmp_path)
    assert "private words" not in str(caught.value)
