"""Tables of the review store.

``events`` is the truth: what was decided, by whom, when. ``queue`` is derived from it (posts without a standing
decision) so that opening the next post costs the same at a thousand posts and at a million. Text and notes stand in
tables of their own and can be erased; the events hold only salted digests of them.
"""

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

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
    __table_args__ = (Index(None, "post_id", "seq"), Index(None, "actor", "seq"), Index(None, "undoes"))

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
    """A scored post as imported; ``import_seq`` names the event whose digest covers this row."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "import_seq", "post_id"),)

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
    """How much the score depended on the characters ``[start, end)`` of a post."""

    __tablename__ = "highlights"

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.post_id"), primary_key=True)
    head: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    end: Mapped[int]
    weight: Mapped[float]
    is_reliable: Mapped[bool]


class QueueItem(Base):
    """A post that waits for a decision; leased to at most one reviewer."""

    __tablename__ = "queue"
    __table_args__ = (Index(None, "priority", "post_id"), Index(None, "leased_by"), Index(None, "triage"))

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.post_id"), primary_key=True)
    priority: Mapped[float]
    triage: Mapped[str]
    leased_by: Mapped[str | None]
    lease_expires_at: Mapped[str | None]
