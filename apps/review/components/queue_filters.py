"""The choices above the queue: which of the waiting posts to look at."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from apps.review.components.labels import TRIAGE_LABELS
from apps.review.services.facets import Facets, LengthFacet
from apps.review.services.filters import QueueFilters
from apps.review.state import load_queue_filters, set_queue_filters
from screening.explain.rendering import show_visibly

_AGES: Mapping[str, dict[str, timedelta]] = {
    "less than a day": {"waiting_at_most": timedelta(days=1)},
    "1 to 3 days": {"waiting_at_least": timedelta(days=1), "waiting_at_most": timedelta(days=3)},
    "more than 3 days": {"waiting_at_least": timedelta(days=3)},
}
_ROUND = "filter_round"  # clearing the filters makes new widgets, which start empty


def show_filters(facets: Facets) -> QueueFilters:
    """Show the filters; returns what was chosen, which also decides the next posts."""
    before = load_queue_filters() or QueueFilters()
    n_set = count_filters()
    with st.expander(f"Filters ({n_set} set)" if n_set else "Filters", key="filters"):
        chosen = QueueFilters(**_ask(facets, before))
        if n_set:
            show_clear_button()
    if chosen != before:
        set_queue_filters(chosen)
        st.rerun()
    return chosen


def count_filters() -> int:
    """Count the filters that are set."""
    return len((load_queue_filters() or QueueFilters()).model_dump(exclude_defaults=True))


def show_clear_button() -> None:
    """Offer to take all filters away."""
    st.button("Clear filters", key="clear_filters", on_click=_clear)


def _clear() -> None:
    set_queue_filters(None)
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _ask(facets: Facets, before: QueueFilters) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    left, right = st.columns(2)
    with left:
        lengths = {_label_length(facet): facet for facet in facets.lengths}
        now = next((label for label, facet in lengths.items() if _is_length(facet, before)), None)
        if (label := _select("Length", list(lengths), now)) is not None:
            chosen |= {name: getattr(lengths[label], name) for name in ("min_characters", "max_characters")}
        now = next((label for label, bounds in _AGES.items() if bounds == _select_ages(before)), None)
        if (label := _select("Waiting", list(_AGES), now)) is not None:
            chosen |= _AGES[label]
    with right:
        imports = {f"{facet.at:%Y-%m-%d %H:%M} UTC ({facet.n_waiting:,})": facet.seq for facet in facets.imports}
        if imports:
            chosen["import_seq"] = _choose("Import", imports, before.import_seq)
        communities = {f"{facet.community} ({facet.n_waiting:,})": facet.community for facet in facets.communities}
        if communities:
            chosen["community"] = _choose("Community", communities, before.community)
        if facets.n_audit is not None:
            levels = {label: level for level, label in TRIAGE_LABELS.items()}
            chosen["triage"] = _choose("Level", levels, before.triage)
            audit = {f"Audit slice only ({facets.n_audit:,})": True, "Without the audit slice": False}
            chosen["is_audit"] = _choose("Audit slice", audit, before.is_audit)
    return chosen


def _choose(name: str, options: Mapping[str, Any], before: object) -> Any:
    now = next((label for label, value in options.items() if value == before), None)
    label = _select(name, list(options), now)
    return options[label] if label is not None else None


def _select(name: str, labels: list[str], now: str | None) -> str | None:
    return st.selectbox(
        name,
        labels,
        index=labels.index(now) if now is not None else None,
        placeholder="Any",
        format_func=show_visibly,
        key=f"filter_{name}_{st.session_state.get(_ROUND, 0)}",
    )


def _label_length(facet: LengthFacet) -> str:
    end = f"to {facet.max_characters:,}" if facet.max_characters is not None else "or more"
    return f"{facet.min_characters:,} {end} characters ({facet.n_waiting:,})"


def _is_length(facet: LengthFacet, filters: QueueFilters) -> bool:
    return (facet.min_characters, facet.max_characters) == (filters.min_characters, filters.max_characters)


def _select_ages(filters: QueueFilters) -> dict[str, timedelta]:
    ages = {name: getattr(filters, name) for name in ("waiting_at_least", "waiting_at_most")}
    return {name: age for name, age in ages.items() if age is not None}
