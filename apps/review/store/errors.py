"""What can go wrong between the services and the database, in words fit for a page."""

from screening.exceptions import ScreeningError


class ReviewError(ScreeningError):
    """Base of the refusals of the reviewer app."""


class StoreBusyError(ReviewError):
    """Somebody else held the database too long; nothing was saved, the same may be tried again."""


class StoreUnavailableError(ReviewError):
    """The database is gone; nothing was saved. Works again by itself once the database is back."""
