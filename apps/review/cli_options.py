"""What the commands of the reviewer app share: the database option, and opening what it names."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from apps.review.identity.records import SignedIn
    from apps.review.services.context import ReviewContext

Database = Annotated[
    str | None,
    typer.Option("--database", help="File or URL of the review database (default: $SCREENING_REVIEW_DB, or review.db)"),
]


def open_review(database: str | None, *, must_exist: bool = False) -> "ReviewContext":
    """Open the store a command works on."""
    from apps.review.services.context import ReviewContext
    from apps.review.store.database import open_store

    return ReviewContext(open_store(database, must_exist=must_exist))


def open_as_operator(database: str | None, *, must_exist: bool = True) -> "tuple[ReviewContext, SignedIn]":
    """Open the store as the person who runs the command."""
    from apps.review.identity.records import command_line_operator

    context = open_review(database, must_exist=must_exist)
    return context, command_line_operator(context.clock())
