"""Checks of the data: no author, text or id in two splits, real people, thresholds chosen on other posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.check import Check, CheckKind
from reports.sections.data_flow import read_data_facts

if TYPE_CHECKING:
    from reports.check import Outcome
    from reports.results import RunResults

AUTHORS = CheckKind(code="SCR001", title="Authors kept apart", severity="critical")
DUPLICATES = CheckKind(code="SCR002", title="Near-duplicates kept apart", severity="critical")
REAL = CheckKind(code="SCR007", title="Posts by people", severity="critical")
CHOSEN_ELSEWHERE = CheckKind(code="SCR008", title="Thresholds chosen elsewhere", severity="critical")
READ_WHOLE = CheckKind(code="SCR009", title="Posts read to the end", severity="minor")
MAX_TRUNCATED = 0.2


def check_authors_apart(results: RunResults) -> Check:
    """SCR001: no author stands in two splits."""
    facts = read_data_facts(results.data_card)
    n_shared = facts.n_shared_authors
    if not facts.is_author_known:
        words = "The data name no authors, so nobody knows whether one stands in two splits; a column of authors tells."
        return AUTHORS.conclude("not_measured", words)
    if n_shared is None:
        return AUTHORS.conclude("not_measured", "The data card does not say how many authors stand in two splits.")
    if n_shared:
        return AUTHORS.conclude("fail", f"{n_shared:,} authors have posts in two splits: test numbers are too good.")
    return AUTHORS.conclude("pass", "No author has posts in two splits.")


def check_near_duplicates(results: RunResults) -> Check:
    """SCR002: no near-duplicate of a post stands in another split."""
    n_leaks = read_data_facts(results.data_card).n_near_duplicates
    if n_leaks is None:
        words = "The data card does not say how many near-duplicates stand in two splits."
        return DUPLICATES.conclude("not_measured", words)
    if n_leaks:
        words = f"{n_leaks:,} posts have a near-duplicate in another split: test numbers are too good."
        return DUPLICATES.conclude("fail", words)
    return DUPLICATES.conclude("pass", "No post has a near-duplicate in another split.")


def check_real_posts(results: RunResults) -> Check:
    """SCR007: the posts were written by people."""
    if results.is_synthetic:
        words = "Posts were made by a generator: the numbers show that the toolkit runs, and nothing else."
        return REAL.conclude("fail", words)
    return REAL.conclude("pass", "Posts come from a data set, not from the generator.")


def check_threshold_split(results: RunResults) -> Check:
    """SCR008: no test post was used to train, to scale, or to choose a threshold."""
    wrong = [point.name for point in results.operating_points if point.split != "calibration"]
    n_shared = len(set(results.calibration["post_id"]) & set(results.test["post_id"]))
    facts = read_data_facts(results.data_card)
    found = {
        "test posts are calibration posts": n_shared,
        "ids stand in two splits": facts.n_ids_in_two_splits,
        "posts have the same text as one of another split": facts.n_exact_duplicates,
        "thresholds were not chosen on calibration": len(wrong),
    }
    faults = [f"{n:,} {words}" for words, n in found.items() if n]
    if faults:
        return CHOSEN_ELSEWHERE.conclude("fail", f"Numbers are reported on posts used before: {'; '.join(faults)}.")
    if not results.operating_points:
        return CHOSEN_ELSEWHERE.conclude("not_applicable", "There is no operating point.")
    words = "Thresholds were chosen on the calibration split, which shares no post with the test split"
    if None in found.values():
        return CHOSEN_ELSEWHERE.conclude("notice", f"{words}; the data card does not say so for train and validation.")
    return CHOSEN_ELSEWHERE.conclude("pass", f"{words}; no id and no text stands in two of any splits.")


def check_truncation(results: RunResults) -> Check:
    """SCR009: few posts are cut to the model's window."""
    if results.test.empty:
        return READ_WHOLE.conclude("not_applicable", "There are no test posts.")
    share = float(results.test["is_truncated"].mean())
    window = f"{results.config.model.max_tokens} tokens"
    unread = "only the TF-IDF model reads the rest" if results.has_word_model else "the rest is not read"
    words = f"{share:.1%} of test posts are longer than {window} and cut there; {unread}."
    if share == 0:
        words = f"Every test post is read to its end; {(results.test['n_windows'] > 1).mean():.1%} exceed {window}."
    outcome: Outcome = "warn" if share > MAX_TRUNCATED else "notice" if share > 0 else "pass"
    return READ_WHOLE.conclude(outcome, words)
