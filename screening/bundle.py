"""The screener bundle: classifier, tokenizer, temperature and operating points in one folder, checked by digest.

A bundle is the only thing that passes from training to everything after it. It holds safetensors, the tokenizer's
JSON, one manifest and, where the classifier is quantised, OpenVINO's graph and weights of it; nothing in it is
executable.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from screening.calibration.temperature import TemperatureScaling
from screening.config import Backend, LongPosts, Quantisation
from screening.exceptions import BundleError
from screening.models.baseline import DIGEST_BYTES, TfidfBaseline
from screening.models.encoder import compute_file_digest
from screening.models.gate import Gate
from screening.models.quantised import GRAPH_FILE, WEIGHTS_FILE, QuantisedModel
from screening.taxonomy import Taxonomy
from screening.thresholds.cascade import GateThreshold
from screening.thresholds.operating_point import OperatingPoint
from screening.types import Record
from screening.whole_writes import write_folder_whole

MANIFEST = "screener.json"
_ALLOWED = {".safetensors", ".json", ".txt", ".model", ".jinja"}  # what tokenizers and transformers write; no code
_QUANTISED = {GRAPH_FILE, WEIGHTS_FILE}  # and no other .bin, which may be a pickle


class Recalibration(Record):
    """Where thresholds come from that were fitted anew, for a score that stayed as it was.

    ``bundle_version`` is that of the bundle before, ``digest`` the SHA-256 of the calibration posts' ids and labels.
    """

    bundle_version: str
    n_posts: int = Field(ge=1)
    digest: str


class BundleManifest(Record):
    """What a bundle is and what its promise rests on.

    ``digests`` gives the SHA-256 of every other file of the folder; ``precision`` and ``backend`` name the path the
    operating points were calibrated on, the only one they hold for. With ``quantisation`` that path is the quantised
    classifier, and ``precision`` that of the rest. ``words_weight`` is what the word model's logits are multiplied by
    before they are added to the encoder's, 0 without one. ``long_posts`` is ``cut`` in bundles from before there were
    windows. ``first_stage`` says from which gate score the encoder reads a post, where there is a cascade; ``versions``
    are those of the packages that computed the scores the operating points were fitted on, ``reference_logits`` what
    they made of :data:`screening.reference_posts.REFERENCE_POSTS`. ``recalibration`` is there where the operating
    points were fitted on other posts than the run's.
    """

    format_version: Literal[1] = 1
    name: str
    created_at: datetime
    run_id: str
    encoder: str
    max_tokens: int
    long_posts: LongPosts = "cut"
    backend: Backend = "torch"
    precision: Literal["fp32", "bf16"]
    quantisation: Quantisation = "none"
    words_weight: float = Field(0.0, ge=0, allow_inf_nan=False)
    is_synthetic: bool
    taxonomy: Taxonomy
    temperature: TemperatureScaling
    operating_points: tuple[OperatingPoint, ...]
    first_stage: GateThreshold | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    reference_logits: tuple[tuple[float, ...], ...] = ()
    recalibration: Recalibration | None = Field(None, exclude_if=lambda value: value is None)
    digests: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle; ``version`` is the first 12 hexadecimal digits of its manifest's SHA-256.

    ``gate`` is there if and only if the manifest has a ``first_stage``, ``quantised`` if and only if its
    ``quantisation`` is ``int8``, ``words`` if and only if its ``words_weight`` is above 0.
    """

    classifier: Any
    tokenizer: Any
    manifest: BundleManifest
    version: str
    gate: Gate | None = None
    quantised: QuantisedModel | None = None
    words: TfidfBaseline | None = None


def save_bundle(
    folder: Path,
    classifier: Any,
    tokenizer: Any,
    manifest: BundleManifest,
    gate: Gate | None = None,
    *,
    quantised: QuantisedModel | None = None,
    words: TfidfBaseline | None = None,
) -> str:
    """Write a bundle whole or not at all, replacing an older one.

    Parameters
    ----------
    folder : Path
    classifier : screening.models.classifier.RiskClassifier
    tokenizer : transformers.PreTrainedTokenizerBase
    manifest : BundleManifest
        Its ``digests`` are filled in here.
    gate : Gate, optional
        The first stage, where the manifest has one.
    quantised : QuantisedModel, optional
        The classifier in int8, where the manifest says so.
    words : TfidfBaseline, optional
        The word model, where the manifest gives it a weight.

    Returns
    -------
    str
        The bundle's version.
    """
    with write_folder_whole(folder) as aside:
        classifier.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        if gate is not None:
            gate.save(aside)
        if quantised is not None:
            quantised.save(aside)
        if words is not None:
            words.save(aside)
        _write_manifest(aside, manifest.model_copy(update={"digests": _compute_digests(aside)}))
    return compute_version(folder)


def copy_bundle(source: Path, folder: Path, manifest: BundleManifest) -> str:
    """Write a bundle with the same files, byte for byte, and another manifest; whole or not at all.

    Returns
    -------
    str
        The new bundle's version.

    Raises
    ------
    BundleError
        If the source's files are not those the manifest's ``digests`` name.
    """
    _validate_files(source, manifest)
    with write_folder_whole(folder) as aside:
        for name in manifest.digests:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, aside / name)
        _write_manifest(aside, manifest)
    return compute_version(folder)


def load_manifest(folder: Path) -> BundleManifest:
    """Read a bundle's manifest without loading or checking the model.

    Raises
    ------
    BundleError
        If the folder holds no manifest of a format this version reads.
    """
    path = folder / MANIFEST
    try:
        return BundleManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        message = f"{folder} holds no {MANIFEST}; a bundle is the folder RUN/bundle that `screening calibrate` writes"
        raise BundleError(message) from error
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in problem["loc"]) for problem in error.errors()})
        message = f"{path} is not a manifest this version reads (fields {', '.join(fields)}); calibrate the run again"
        raise BundleError(message) from error


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking every file against the manifest.

    Raises
    ------
    BundleError
        If a file is missing, added or altered, one names code to run, or the word model does not fit the labels.
    """
    manifest = load_manifest(folder)
    _validate_files(folder, manifest)
    _validate_no_code_is_named(folder, manifest)
    from screening.models.classifier import load_classifier

    classifier, tokenizer = load_classifier(folder)
    gate = Gate.load(folder) if manifest.first_stage is not None else None
    quantised = QuantisedModel.load(folder) if manifest.quantisation == "int8" else None
    words = TfidfBaseline.load(folder) if manifest.words_weight > 0 else None
    if words is not None:
        _validate_words(folder, words, len(manifest.taxonomy.names))
    tokenizer("")  # puts off the cutting and padding it may have been saved with; later calls change nothing in it
    return Bundle(classifier, tokenizer, manifest, compute_version(folder), gate, quantised, words)


def compute_version(folder: Path) -> str:
    """Compute a bundle's version from its manifest (which holds the digest of every other file)."""
    return sha256((folder / MANIFEST).read_bytes()).hexdigest()[:12]


def _write_manifest(folder: Path, manifest: BundleManifest) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def _compute_digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST]
    return {path.relative_to(folder).as_posix(): compute_file_digest(path) for path in files}


def _validate_files(folder: Path, manifest: BundleManifest) -> None:
    quantised = _QUANTISED if manifest.quantisation == "int8" else set()
    foreign = [
        name for name in manifest.digests if PurePosixPath(name).suffix not in _ALLOWED and name not in quantised
    ]
    if foreign:
        message = f"bundle {folder} lists files of a kind no bundle holds: {foreign}; refusing to load it"
        raise BundleError(message)
    found = _compute_digests(folder)
    wrong = sorted(name for name in {*found, *manifest.digests} if found.get(name) != manifest.digests.get(name))
    if wrong:
        message = (
            f"bundle {folder} is not as it was written: {', '.join(wrong)} missing, added or altered; copy it again"
        )
        raise BundleError(message)


def _validate_no_code_is_named(folder: Path, manifest: BundleManifest) -> None:
    """Refuse an ``auto_map``, by which files of transformers name code, on a hub or beside them, to be run."""
    for name in sorted(manifest.digests):
        if PurePosixPath(name).suffix != ".json":
            continue
        try:
            names_code = _names_code((folder / name).read_bytes())
        except (ValueError, RecursionError) as error:
            message = f"bundle {folder}: {name} is not JSON; copy the bundle again"
            raise BundleError(message) from error
        if names_code:
            message = (
                f"bundle {folder}: expected no code to be named in it, found auto_map in {name}; refusing to load it. "
                "No bundle of this toolkit has one: ask whoever gave it to you"
            )
            raise BundleError(message)


def _names_code(content: bytes) -> bool:
    """Tell whether an ``auto_map`` stands anywhere in a JSON file; as a word of a vocabulary it has a number."""
    entries: list[tuple[str, Any]] = []
    json.loads(content, object_pairs_hook=entries.extend)
    return any(name == "auto_map" and not isinstance(value, int) for name, value in entries)


def _validate_words(folder: Path, words: TfidfBaseline, n_labels: int) -> None:
    """Refuse a word model that gives no logit, or no finite one, for each of so many labels."""
    n_terms = words.term_digests.shape[:1]
    expected = {
        "coefficients": (n_labels, *n_terms),
        "intercept": (n_labels,),
        "term_digests": (*n_terms, DIGEST_BYTES),
        "inverse_document_frequency": n_terms,
    }
    for name, shape in expected.items():
        values = getattr(words, name)
        n_wrong = np.count_nonzero(~np.isfinite(values))
        if values.shape != shape or n_wrong:
            message = (
                f"bundle {folder}: expected {name} of its word model to be finite and of shape {shape}, found shape "
                f"{values.shape} and {n_wrong} values not finite; calibrate the run again"
            )
            raise BundleError(message)
