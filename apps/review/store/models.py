"""Tables of the review store.

``events`` is the truth: what was decided, by whom, when. ``queue`` is derived from it (posts without a standing
decision) so that opening the next post costs the same at a thousand posts and at a million. Text and notes stand in
tables of their own and can be erased; the events hold only salted digests of them.
"""

from typing import ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, MetaData, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apps.review.store.columns import WORDS

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table; times are ISO 8601 in UTC, so that text order is time order."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {str: WORDS}


class User(Base):
    """An account and its role; ``password_hash`` is argon2id, ``None`` where another provider signs the user in.

    ``subject`` is the identity provider's own, lasting name for the person; bound at the first sign-in.
    """

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('reviewer', 'lead', 'auditor', 'admin')", name="role"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    provider: Mapped[str] = mapped_column(default="local")
    password_hash: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    is_generated: Mapped[bool] = mapped_column(default=False)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    subject: Mapped[str | None]
    n_failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[str | None]
    created_at: Mapped[str]


class UserSession(Base):
    """A sign-in that may still be in use; the browser holds the token, this table only its SHA-256."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_name"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"))
    provider: Mapped[str]
    password_tag: Mapped[str]
    signed_in_at: Mapped[str]
    last_seen_at: Mapped[str]
    ended_at: Mapped[str | None]


class Event(Base):
    """One thing that happened; never changed, never removed. ``hash`` covers the row and the hash before it."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "post_id", "seq"),
        Index(None, "actor", "seq"),
        Index(None, "undoes"),
        Index(None, "actor", "at"),
        Index(None, "kind", "at"),
        Index(None, "decision", "post_id"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str]
    kind: Mapped[str]
    post_id: Mapped[str | None]
    decision: Mapped[str | None]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("events.seq"))
    payload: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str]
    hash: Mapped[str]


class Post(Base):
    """A scored post as imported; ``import_seq`` names the event whose digests cover this row.

    ``is_audit`` marks the random slice of unflagged posts; their ``priority``, and that of an audit sample's unflagged
    posts, is drawn from the flagged posts', so that their place in the queue tells nothing. ``duplicate_group`` is the
    id of the first of several near-duplicates.
    """

    __tablename__ = "posts"
    __table_args__ = (Index(None, "import_seq", "post_id"), Index(None, "duplicate_group"))

    post_id: Mapped[str] = mapped_column(primary_key=True)
    import_seq: Mapped[int] = mapped_column(ForeignKey("events.seq"))
    imported_at: Mapped[str]
    created_at: Mapped[str | None]
    triage: Mapped[str]
    risk: Mapped[float]
    priority: Mapped[float]
    scores: Mapped[dict[str, object]] = mapped_column(JSON)
    model_version: Mapped[str]
    text_digest: Mapped[str]
    n_characters: Mapped[int | None]
    community: Mapped[str | None]
    duplicate_group: Mapped[str | None]
    is_audit: Mapped[bool] = mapped_column(server_default=false())


class LeftOut(Base):
    """A scored post that was not imported, not flagged or not in an audit's sample: its id and risks, never its text.

    ``frame_seq`` names the import whose audit slice was drawn among it.
    """

    __tablename__ = "left_out"
    __table_args__ = (Index(None, "frame_seq"),)

    post_id: Mapped[str] = mapped_column(primary_key=True)
    import_seq: Mapped[int] = mapped_column(ForeignKey("events.seq"))
    frame_seq: Mapped[int | None] = mapped_column(ForeignKey("events.seq"))
    risks: Mapped[dict[str, object]] = mapped_column(JSON)


class PostText(Base):
    """The words of a post: the only place they stand."""

    __tablename__ = "post_texts"

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.post_id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    salt: Mapped[str]


class Note(Base):
    """A reviewer's note; it may quote the post, so it can be erased while its event stays."""

    __tablename__ = "notes"

    event_seq: Mapped[int] = mapped_column(ForeignKey("events.seq"), primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    salt: Mapped[str]


class Highlight(Base):
    """How much the score depended on the characters ``[start, end)`` of a post.

    ``unreliable_because`` is ``delta`` or ``no_change`` as in explanation tables; ``None`` where it is reliable, or the
    table did not say.
    """

    __tablename__ = "highlights"

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.post_id"), primary_key=True)
    head: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    end: Mapped[int]
    weight: Mapped[float]
    is_reliable: Mapped[bool]
    unreliable_because: Mapped[str | None]


class QueueItem(Base):
    """A post that waits for a reading or an adjudication; leased to at most one reviewer.

    What the queue can be filtered by stands here too, beside the order, so that an index serves both.
    """

    __tablename__ = "queue"
    __table_args__ = (
        Index(None, "priority", "post_id"),
        Index(None, "triage", "priority", "post_id"),
        Index(None, "import_seq", "priority", "post_id"),
        Index(None, "community", "priority", "post_id"),
        Index(None, "stage", "priority", "post_id"),
        Index(None, "is_audit", "priority", "post_id"),
        Index(None, "n_characters"),
        Index(None, "leased_by"),
    )

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.post_id"), primary_key=True)
    priority: Mapped[float]
    triage: Mapped[str]
    stage: Mapped[str] = mapped_column(server_default="first")
    import_seq: Mapped[int | None]
    imported_at: Mapped[str | None]
    community: Mapped[str | None]
    n_characters: Mapped[int | None]
    is_audit: Mapped[bool] = mapped_column(server_default=false())
    leased_by: Mapped[str | None]
    lease_expires_at: Mapped[str | None]
