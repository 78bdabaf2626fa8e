"""What a click on a decision or an escalated post does; runs before the page is drawn again, for the post it was on."""

from collections.abc import Callable

import streamlit as st

from apps.review.components.labels import DECISION_LABELS, label_decision
from apps.review.identity.records import SignedIn
from apps.review.services.context import ReviewSettings
from apps.review.services.decisions import Decision
from apps.review.services.errors import NotSignedInError, ReviewError, StoreBusyError, StoreUnavailableError
from apps.review.services.escalations import take_over
from apps.review.services.judging import record_decision, revise_decision, undo_decision
from apps.review.services.leases import release
from apps.review.services.posts import load_post
from apps.review.state import end_session, load_context, put_notice, set_open_post, set_shown_post, set_taken_over
from screening.exceptions import ConfigError

LAST = "last_decision"  # (post id, event number) of the decision one key takes back
AGAIN = "judging_again"  # id of the post that is judged again
_EXPIRED = "Your session had ended before this, so nothing was saved by it. Every earlier decision is. Sign in again."


def click_decision(post_id: str, decision: Decision, stem: str, *, is_revision: bool) -> None:
    """Record a decision with its reasons and its note; the second click of a double click changes nothing."""
    _attempt(lambda: _decide(post_id, decision, stem, is_revision=is_revision))


def click_undo(post_id: str, seq: int) -> None:
    """Take back one decision; the post is on the desk again, or the judgement before it counts again."""
    _attempt(lambda: _take_back(post_id, seq))


def click_undo_last() -> None:
    """Take back the last decision as of now: one made since the page was drawn is the one that is meant."""
    last = st.session_state.get(LAST)
    if last is not None:
        click_undo(*last)


def click_take_over(post_id: str) -> None:
    """Take an escalated post over, and show it."""
    _attempt(lambda: _take_over(post_id))


def forget_last(seq: int) -> None:
    """Forget the last decision if it is this one, which was taken back elsewhere."""
    if (st.session_state.get(LAST) or (None, None))[1] == seq:
        del st.session_state[LAST]


def click_next() -> None:
    """Let the next post come."""
    set_open_post(None)
    set_shown_post(None)
    st.session_state.pop(AGAIN, None)


def click_put_back() -> None:
    """Give the post on the desk back to the queue."""
    _attempt(lambda: release(load_context(), _load_actor()))
    set_open_post(None)
    set_shown_post(None)


def _load_actor() -> SignedIn:
    """Return who clicked; the services find out whether their session still lives."""
    signed_in: SignedIn | None = st.session_state.get("signed_in")
    if signed_in is None:
        message = "nobody is signed in; sign in first"
        raise NotSignedInError(message)
    return signed_in


def _decide(post_id: str, decision: Decision, stem: str, *, is_revision: bool) -> None:
    saved = _find_saved(post_id, is_revision=is_revision)
    if saved is not None:
        put_notice(f"Saved: {label_decision(saved)}. The second click changed nothing.")
        return
    reasons, stray = _collect_reasons(stem, decision)
    if stray is not None:
        text = f"You chose reasons under “{DECISION_LABELS[stray]}” and then {DECISION_LABELS[decision]}."
        put_notice(f"{text} Nothing was saved; choose reasons under the decision you make.", is_problem=True)
        return
    _save(post_id, decision, st.session_state.get(f"{stem}_note"), reasons, is_revision=is_revision)
    st.session_state.pop(f"{stem}_note", None)


def _find_saved(post_id: str, *, is_revision: bool) -> str | None:
    """Find the decision that the first click of a double click saved, if it still stands."""
    last = st.session_state.get(LAST)
    if last is None or last[0] != post_id or (is_revision and st.session_state.get(AGAIN) == post_id):
        return None
    standing = load_post(load_context(), _load_actor(), post_id).standing
    return standing.decision if standing is not None and standing.seq == last[1] else None


def _save(post_id: str, decision: Decision, note: str | None, reasons: list[str], *, is_revision: bool) -> None:
    context, actor = load_context(), _load_actor()
    save = revise_decision if is_revision else record_decision
    receipt = save(context, actor, post_id, decision, note, reasons=reasons)
    st.session_state[LAST] = (post_id, receipt.seq)
    st.session_state.pop(AGAIN, None)
    put_notice(_describe_saved(decision, context.settings, is_revision=is_revision))
    set_open_post(post_id if context.settings.is_blind and not is_revision else None)


def _describe_saved(decision: str, settings: ReviewSettings, *, is_revision: bool = False) -> str:
    """Say what was saved, and after an escalation what is to be done now."""
    kept = ["Your first judgement is kept beside it."] if is_revision else []
    call = [settings.after_escalation] if decision == "escalate" else []
    return " ".join([f"Saved: {label_decision(decision)}.", *kept, *call])


def _take_back(post_id: str, seq: int) -> None:
    context, actor = load_context(), _load_actor()
    undo_decision(context, actor, seq)
    st.session_state.pop(LAST, None)
    is_judged = load_post(context, actor, post_id).standing is not None
    earlier = "The judgement before it counts again." if is_judged else "The post is on your desk again."
    put_notice(f"Taken back. {earlier}")
    set_open_post(post_id if is_judged else None)


def _take_over(post_id: str) -> None:
    take_over(load_context(), _load_actor(), post_id)
    set_taken_over(post_id)
    put_notice("Taken over: from now on this post waits for nobody but you. The history can take it back.")


def _collect_reasons(stem: str, decision: Decision) -> tuple[list[str], Decision | None]:
    chosen = {name: st.session_state.get(f"{stem}_reasons_{name}") or [] for name in DECISION_LABELS}
    stray = [name for name, codes in chosen.items() if codes and name != decision]
    return list(chosen[decision]), stray[0] if stray else None


def _attempt(act: Callable[[], None]) -> None:
    try:
        act()
    except NotSignedInError:
        end_session(_EXPIRED)
    except (StoreBusyError, StoreUnavailableError, ConfigError) as error:
        put_notice(str(error), is_problem=True)  # what was entered stays, so that the same click can be made again
    except ReviewError as error:
        put_notice(str(error), is_problem=True)
        set_open_post(None)
