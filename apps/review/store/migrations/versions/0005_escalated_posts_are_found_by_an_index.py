"""Add the index by which escalated posts are found."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_events_decision_post_id", "events", ["decision", "post_id"])


def downgrade() -> None:
    """Take the index away; nothing is lost."""
    op.drop_index("ix_events_decision_post_id", "events")
