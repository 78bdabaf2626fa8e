"""What the database itself refuses, and the view of the current state, as SQL for SQLite.

Imported by the first migration and by ``verify``; a later change of one of these needs a new name and a migration.
"""

_IN_ORDER = """
CREATE TRIGGER events_in_order BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)
  OR NEW.previous_hash IS NOT COALESCE((SELECT hash FROM events ORDER BY seq DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'events are appended in order, one after the other'); END
"""
_NO_UPDATE = """
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only: UPDATE refused'); END
"""
_NO_DELETE = """
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only: DELETE refused'); END
"""
_POSTS_NO_UPDATE = """
CREATE TRIGGER posts_no_update BEFORE UPDATE ON posts
BEGIN SELECT RAISE(ABORT, 'imported scores are not changed: UPDATE refused'); END
"""
_POSTS_NO_DELETE = """
CREATE TRIGGER posts_no_delete BEFORE DELETE ON posts
BEGIN SELECT RAISE(ABORT, 'imported scores are not removed: DELETE refused'); END
"""

TRIGGERS = {
    "events_in_order": _IN_ORDER,
    "events_no_update": _NO_UPDATE,
    "events_no_delete": _NO_DELETE,
    "posts_no_update": _POSTS_NO_UPDATE,
    "posts_no_delete": _POSTS_NO_DELETE,
}

# The last judgement of each post that no later event takes back.
STANDING_DECISIONS = """
CREATE VIEW standing_decisions AS
SELECT e.post_id, e.seq, e.decision, e.actor, e.at, e.kind
FROM events e
WHERE e.kind IN ('decision', 'revision')
  AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq)
  AND NOT EXISTS (
    SELECT 1 FROM events later
    WHERE later.post_id = e.post_id AND later.seq > e.seq AND later.kind IN ('decision', 'revision')
      AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = later.seq)
  )
"""
