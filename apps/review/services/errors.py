"""The refusals a view may want to tell apart."""

from apps.review.store.errors import ReviewError, StoreBusyError, StoreUnavailableError

__all__ = [
    "AlreadyDecidedError",
    "DailyCapReachedError",
    "LeaseLostError",
    "NotAllowedError",
    "NotSignedInError",
    "PostErasedError",
    "ReviewError",
    "StoreBusyError",
    "StoreUnavailableError",
]


class NotSignedInError(ReviewError):
    """Nobody is signed in, the session is over, or the account was closed or changed."""


class NotAllowedError(ReviewError):
    """The signed-in person's role, or their part in this post, does not allow this."""


class LeaseLostError(ReviewError):
    """Another reviewer holds the post by now."""


class AlreadyDecidedError(ReviewError):
    """The post has a decision already, or the decision was already taken back."""


class PostErasedError(ReviewError):
    """The text of the post was erased; there is nothing to read or judge."""


class DailyCapReachedError(ReviewError):
    """The reviewer has judged as many posts today as the house allows in a day."""
