"""The refusals a view may want to tell apart."""

from screening.exceptions import ScreeningError


class ReviewError(ScreeningError):
    """Base of the refusals of the review services."""


class NotSignedInError(ReviewError):
    """Nobody is signed in, the session is over, or the account was closed or changed."""


class NotAllowedError(ReviewError):
    """The signed-in person's role, or their part in this post, does not allow this."""


class LeaseLostError(ReviewError):
    """Another reviewer holds the post by now."""


class AlreadyDecidedError(ReviewError):
    """The post has a decision already, or the decision was already taken back."""
