"""Column types that mean the same on SQLite and PostgreSQL."""

import sqlalchemy as sa

# Ordered by code point on both databases, as Python orders: digests over rows in order of their ids, and page keys,
# must not depend on the language the database server was installed in.
WORDS = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG_WORDS = sa.Text()
