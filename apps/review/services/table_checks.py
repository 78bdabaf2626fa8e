"""Tables beside the chain that must agree with it: imported posts, the queue's order, accounts, triggers."""

import json

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from apps.review.store.models import Event, Post, QueueItem, User

_COPIED = ("priority", "triage", "import_seq", "imported_at", "community", "n_characters", "is_audit")
_ACCOUNT_KINDS = ("user_added", "role_changed", "user_deactivated", "user_reactivated")


def find_forged_post(session: Session) -> str | None:
    """Name a post that no import brought in: one whose event is not an import."""
    imports = select(Event.seq).where(Event.kind == "imported")
    return session.scalar(select(Post.post_id).where(Post.import_seq.not_in(imports)).order_by(Post.post_id).limit(1))


def find_misplaced_post(session: Session) -> str | None:
    """Name a waiting post whose place in the queue is not the one it was imported with: moved to where nobody looks."""
    differs = [getattr(QueueItem, name).is_distinct_from(getattr(Post, name)) for name in _COPIED]
    query = select(QueueItem.post_id).join(Post, Post.post_id == QueueItem.post_id).where(or_(*differs))
    return session.scalar(query.order_by(QueueItem.post_id).limit(1))


def find_forged_account(session: Session) -> str | None:
    """Name an account whose role, way in or standing is not what the events say.

    Notes
    -----
    Passwords and the subjects of OpenID Connect are in no event, so an exchanged one is not found.
    """
    expected = _replay_accounts(session)
    found = {user.name: (user.role, user.provider, user.is_active) for user in session.scalars(select(User))}
    wrong = {name for name, _ in expected.items() ^ found.items()}
    return min(wrong) if wrong else None


def _replay_accounts(session: Session) -> dict[str, tuple[str, str, bool]]:
    """Derive every account's role, provider and standing from the events."""
    accounts: dict[str, tuple[str, str, bool]] = {}
    query = select(Event.kind, Event.payload).where(Event.kind.in_(_ACCOUNT_KINDS)).order_by(Event.seq)
    for kind, payload in session.execute(query):
        details = json.loads(payload)
        name = details["user"]
        if kind == "user_added":
            accounts[name] = (details["role"], details.get("provider", "local"), True)
        elif name in accounts:
            role, provider, is_active = accounts[name]
            is_active = is_active if kind == "role_changed" else kind == "user_reactivated"
            accounts[name] = (details.get("to", role), provider, is_active)
    return accounts
