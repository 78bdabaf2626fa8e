"""Create the review store: tables, the triggers that keep events append-only, and the view of standing decisions."""

import sqlalchemy as sa
from alembic import op

from apps.review.store.columns import WORDS
from apps.review.store.guards import STANDING_DECISIONS, create_first_guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _create_events()
    _create_users()
    _create_posts()
    _create_queue()
    for statement in (*create_first_guards(op.get_bind().dialect.name), STANDING_DECISIONS):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: there is nothing before the first tables but an empty file."""
    message = "the first migration is not reverted, because that would remove every decision; use another database file"
    raise NotImplementedError(message)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("actor", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("post_id", WORDS),
        sa.Column("decision", WORDS),
        sa.Column("undoes", sa.Integer()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", WORDS, nullable=False),
        sa.Column("hash", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["undoes"], ["events.seq"], name="fk_events_undoes_events"),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.create_index("ix_events_actor_seq", "events", ["actor", "seq"])
    op.create_index("ix_events_post_id_seq", "events", ["post_id", "seq"])
    op.create_index("ix_events_undoes", "events", ["undoes"])
    op.create_table(
        "notes",
        sa.Column("event_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("salt", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["event_seq"], ["events.seq"], name="fk_notes_event_seq_events"),
        sa.PrimaryKeyConstraint("event_seq", name="pk_notes"),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("role", WORDS, nullable=False),
        sa.Column("provider", WORDS, nullable=False),
        sa.Column("password_hash", WORDS),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_generated", sa.Boolean(), nullable=False),
        sa.Column("n_failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", WORDS),
        sa.Column("created_at", WORDS, nullable=False),
        sa.CheckConstraint("role IN ('reviewer', 'lead', 'auditor', 'admin')", name="role"),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )


def _create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("post_id", WORDS, nullable=False),
        sa.Column("import_seq", sa.Integer(), nullable=False),
        sa.Column("imported_at", WORDS, nullable=False),
        sa.Column("created_at", WORDS),
        sa.Column("triage", WORDS, nullable=False),
        sa.Column("risk", sa.Double(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("model_version", WORDS, nullable=False),
        sa.Column("text_digest", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["import_seq"], ["events.seq"], name="fk_posts_import_seq_events"),
        sa.PrimaryKeyConstraint("post_id", name="pk_posts"),
    )
    op.create_index("ix_posts_import_seq_post_id", "posts", ["import_seq", "post_id"])
    op.create_table(
        "post_texts",
        sa.Column("post_id", WORDS, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("salt", WORDS, nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.post_id"], name="fk_post_texts_post_id_posts"),
        sa.PrimaryKeyConstraint("post_id", name="pk_post_texts"),
    )
    op.create_table(
        "highlights",
        sa.Column("post_id", WORDS, nullable=False),
        sa.Column("head", WORDS, nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("is_reliable", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.post_id"], name="fk_highlights_post_id_posts"),
        sa.PrimaryKeyConstraint("post_id", "head", "start", name="pk_highlights"),
    )


def _create_queue() -> None:
    op.create_table(
        "queue",
        sa.Column("post_id", WORDS, nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("triage", WORDS, nullable=False),
        sa.Column("leased_by", WORDS),
        sa.Column("lease_expires_at", WORDS),
        sa.ForeignKeyConstraint(["post_id"], ["posts.post_id"], name="fk_queue_post_id_posts"),
        sa.PrimaryKeyConstraint("post_id", name="pk_queue"),
    )
    op.create_index("ix_queue_leased_by", "queue", ["leased_by"])
    op.create_index("ix_queue_priority_post_id", "queue", ["priority", "post_id"])
    op.create_index("ix_queue_triage", "queue", ["triage"])
