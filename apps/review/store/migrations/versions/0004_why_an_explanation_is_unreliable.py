"""Add why an explanation cannot be relied on; of those imported before it is not known."""

import sqlalchemy as sa
from alembic import op

from apps.review.store.columns import WORDS

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("highlights", sa.Column("unreliable_because", WORDS))


def downgrade() -> None:
    """Take the column away; whether an explanation is reliable stays."""
    op.drop_column("highlights", "unreliable_because")
