"""Add second readings, what the queue is filtered by, the audit slice, near-duplicates, and events in order of time."""

import sqlalchemy as sa
from alembic import op

from apps.review.store.columns import WORDS
from apps.review.store.guards import STANDING_DECISIONS, create_time_guard, list_guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FILTERS = ("triage", "import_seq", "community", "stage", "is_audit")


def upgrade() -> None:
    """Apply."""
    dialect = op.get_bind().dialect.name
    _add_columns()
    _create_left_out()
    _fill_columns(dialect)
    op.drop_index("ix_queue_triage", "queue")
    for column in _FILTERS:
        op.create_index(f"ix_queue_{column}_priority_post_id", "queue", [column, "priority", "post_id"])
    op.create_index("ix_queue_n_characters", "queue", ["n_characters"])
    op.create_index("ix_posts_duplicate_group", "posts", ["duplicate_group"])
    op.create_index("ix_events_actor_at", "events", ["actor", "at"])
    op.create_index("ix_events_kind_at", "events", ["kind", "at"])
    op.execute("DROP VIEW standing_decisions")  # what counts is derived from all readings of a post now
    for statement in create_time_guard(dialect):
        op.execute(statement)


def downgrade() -> None:
    """Take the added columns away; refused in words where second readings were made, because they would be lost."""
    n_readings = op.get_bind().scalar(sa.text("SELECT count(*) FROM queue WHERE stage <> 'first'"))
    if n_readings:
        message = f"{n_readings} posts wait for a second reading or an adjudication; settle them before going back"
        raise NotImplementedError(message)
    op.execute("DROP TRIGGER events_in_time" + (" ON events" if _is_postgresql() else ""))
    if _is_postgresql():
        op.execute("DROP FUNCTION review_events_in_time()")
    op.execute(STANDING_DECISIONS)
    op.drop_index("ix_events_kind_at", "events")
    op.drop_index("ix_events_actor_at", "events")
    op.drop_index("ix_posts_duplicate_group", "posts")
    op.drop_index("ix_queue_n_characters", "queue")
    for column in _FILTERS:
        op.drop_index(f"ix_queue_{column}_priority_post_id", "queue")
    op.create_index("ix_queue_triage", "queue", ["triage"])
    op.drop_table("left_out")
    for name in ("is_audit", "n_characters", "community", "imported_at", "import_seq", "stage"):
        op.drop_column("queue", name)
    for name in ("is_audit", "duplicate_group", "community", "n_characters"):
        op.drop_column("posts", name)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _add_columns() -> None:
    for table in ("posts", "queue"):
        op.add_column(table, sa.Column("n_characters", sa.Integer()))
        op.add_column(table, sa.Column("community", WORDS))
        op.add_column(table, sa.Column("is_audit", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("posts", sa.Column("duplicate_group", WORDS))
    op.add_column("queue", sa.Column("stage", WORDS, nullable=False, server_default="first"))
    op.add_column("queue", sa.Column("import_seq", sa.Integer()))
    op.add_column("queue", sa.Column("imported_at", WORDS))


def _create_left_out() -> None:
    op.create_table(
        "left_out",
        sa.Column("post_id", WORDS, nullable=False),
        sa.Column("import_seq", sa.Integer(), nullable=False),
        sa.Column("frame_seq", sa.Integer()),
        sa.Column("risks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["import_seq"], ["events.seq"], name="fk_left_out_import_seq_events"),
        sa.ForeignKeyConstraint(["frame_seq"], ["events.seq"], name="fk_left_out_frame_seq_events"),
        sa.PrimaryKeyConstraint("post_id", name="pk_left_out"),
    )
    op.create_index("ix_left_out_frame_seq", "left_out", ["frame_seq"])


def _fill_columns(dialect: str) -> None:
    """Count the characters of what is there; the trigger that keeps posts unchanged rests for this one statement."""
    op.execute("DROP TRIGGER posts_no_update" + (" ON posts" if dialect == "postgresql" else ""))
    op.execute(
        "UPDATE posts SET n_characters = (SELECT length(t.text) FROM post_texts t WHERE t.post_id = posts.post_id)"
    )
    for statement in list_guards(dialect)["posts_no_update"].statements:
        op.execute(statement)
    op.execute(
        "UPDATE queue SET "
        "import_seq = (SELECT p.import_seq FROM posts p WHERE p.post_id = queue.post_id), "
        "imported_at = (SELECT p.imported_at FROM posts p WHERE p.post_id = queue.post_id), "
        "n_characters = (SELECT p.n_characters FROM posts p WHERE p.post_id = queue.post_id)"
    )
