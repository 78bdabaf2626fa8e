"""The named sources: what is fixed about each, whatever a config says."""

from screening.types import Record


class KnownSource(Record):
    """What is fixed about a named source: licence, columns beyond ``text`` and ``label``, and where to get it.

    No column of ``machine_text`` can be asked for: a paraphrase is nobody's post.
    """

    licence: str
    date_column: str | None = None
    group_columns: tuple[str, ...] = ()
    machine_text: tuple[str, ...] = ()  # columns that no person wrote
    hub_id: str | None = None
    how_to_get: str = "set data.path to a folder with train, validation and test files, or to one file"


HYPEMO = (
    "set data.path to a folder with train.csv, validation.csv and test.csv (columns text,label), made from "
    "data/{folder}/{{train,valid,test}}.csv and the label names in config.py of github.com/dinobby/HypEmo"
)

KNOWN_SOURCES: dict[str, KnownSource] = {
    "synthetic": KnownSource(licence="written for this toolkit (Apache-2.0); its numbers mean nothing about people"),
    "reddit2013": KnownSource(
        licence="ODC Public Domain Dedication and License 1.0 (the collection; the posters' copyright is untouched)",
        date_column="created",
        group_columns=("subreddit",),
        how_to_get="run `screening data reddit2013 --to data/reddit2013` and set data.path to that folder",
    ),
    "emotion": KnownSource(
        licence="educational and research purposes only (dair-ai/emotion_dataset)",
        hub_id="dair-ai/emotion",
        how_to_get="set data.path to a folder with train.csv, validation.csv and test.csv, or to null to read "
        "dair-ai/emotion from the hub",
    ),
    "swmh": KnownSource(
        licence="research use only, no redistribution, no attempt to identify anyone (AIMH/SWMH terms)",
        hub_id="AIMH/SWMH",
        how_to_get="accept the terms at https://huggingface.co/datasets/AIMH/SWMH and set HF_TOKEN (or run "
        "`hf auth login`), or set data.path to a folder with the official train.csv, val.csv and test.csv",
    ),
    "goemotions": KnownSource(
        licence="CC BY 4.0 (google-research/goemotions; the posters' copyright is untouched); this single-label form "
        "(dinobby/HypEmo) comes without a licence file",
        machine_text=("aug_text",),
        how_to_get=HYPEMO.format(folder="go_emotion"),
    ),
    "empathetic_dialogues": KnownSource(
        licence="CC BY-NC 4.0, non-commercial (facebookresearch/EmpatheticDialogues); this single-label form "
        "(dinobby/HypEmo) comes without a licence file",
        machine_text=("aug_text",),
        how_to_get=HYPEMO.format(folder="ED"),
    ),
    "sst5": KnownSource(
        licence="no explicit licence, distributed by Stanford for research (Stanford Sentiment Treebank); this copy: "
        "MIT repository (prrao87/fine-grained-sentiment)",
        how_to_get="set data.path to a folder with train.csv, validation.csv and test.csv (columns text,label), made "
        "from data/sst/sst_{train,dev,test}.txt of github.com/prrao87/fine-grained-sentiment",
    ),
    "file": KnownSource(licence="not stated; known to whoever supplied the file"),
}
