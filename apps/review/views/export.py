"""Taking decisions out: what, in which format; every export is noted in the record."""

import streamlit as st

from apps.review.components.labels import DECISION_LABELS
from apps.review.components.messages import run_page, show_message
from apps.review.identity.records import SignedIn
from apps.review.services.access import is_permitted
from apps.review.services.context import ReviewContext
from apps.review.services.exporting import Export, FileFormat, export_decisions, export_labelled
from apps.review.state import load_context, require_signed_in

_FORMATS: dict[FileFormat, str] = {"csv": "CSV", "jsonl": "JSONL", "parquet": "Parquet"}
_WHAT = {"decisions": "Decisions", "labelled": "Labelled data for training"}
_MADE = "export_made"  # (what was asked for, the file)


def show() -> None:
    """Ask what to export, make the file on request, and hand it over."""
    actor, context = require_signed_in("export"), load_context()
    st.title("Export", anchor=False)
    may_text = is_permitted(actor.role, "export_text")
    what = "decisions"
    if may_text:
        what = st.radio("What", list(_WHAT), format_func=_WHAT.__getitem__, key="export_what", horizontal=True)
    is_labelled = what == "labelled"
    formats: list[FileFormat] = [name for name in _FORMATS if not (is_labelled and name == "csv")]
    file_format = st.radio("Format", formats, format_func=_FORMATS.__getitem__, key="export_format", horizontal=True)
    labels = _ask_labels() if is_labelled else {}
    with_text = is_labelled or (may_text and st.checkbox("With texts and notes", key="export_text"))
    _show_notice(with_text=with_text, may_text=may_text)
    asked = (what, file_format, with_text, tuple(labels.items()))
    if st.button("Make the file", type="primary", key="make_export", disabled=is_labelled and not labels):
        st.session_state[_MADE] = (asked, _make(context, actor, what, file_format, labels, with_text=with_text))
    made = st.session_state.get(_MADE)
    if made is not None and made[0] == asked:
        _hand_over(made[1])
    else:
        st.session_state.pop(_MADE, None)


def _ask_labels() -> dict[str, str]:
    st.caption("Which label does each decision stand for? Posts with a decision left empty are left out and counted.")
    entered = {
        decision: st.text_input(label, key=f"export_label_{decision}", max_chars=60).strip()
        for decision, label in DECISION_LABELS.items()
    }
    return {str(decision): label for decision, label in entered.items() if label}


def _show_notice(*, with_text: bool, may_text: bool) -> None:
    if with_text:
        show_message(
            "The file will hold people's words. Keep it as safe as the database, and no longer than needed", "calm"
        )
    elif not may_text:
        show_message("Ids, decisions and scores only. Texts are for leads", "calm")
    st.caption("The export is noted in the record: who, when, what, how many rows, and the file's checksum.")


def _make(
    context: ReviewContext,
    actor: SignedIn,
    what: str,
    file_format: FileFormat,
    labels: dict[str, str],
    *,
    with_text: bool,
) -> Export:
    if what == "labelled":
        return export_labelled(context, actor, labels, file_format=file_format)
    return export_decisions(context, actor, file_format=file_format, with_text=with_text)


def _hand_over(export: Export) -> None:
    left_out = f" {export.n_left_out:,} judged posts are left out." if export.n_left_out else ""
    show_message(f"{export.n_rows:,} rows, noted as event {export.seq}.{left_out} SHA-256 {export.sha256}.")
    st.download_button(
        f"Download {export.file_name}",
        export.content,
        file_name=export.file_name,
        mime=export.media_type,
        key="download",
        on_click="ignore",
    )


run_page(show)
