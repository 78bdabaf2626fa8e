"""Errors nobody expected are described by type and place; their messages could quote a post and are left out."""

import traceback

MAX_PLACES = 6


def describe_unexpected(error: BaseException) -> str:
    """Describe an error by its type and the places it passed through.

    Returns
    -------
    str
        Several lines, without the error's message.
    """
    places = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    opening = f"unexpected {type(error).__name__} (its message is hidden because it could quote a post) at:"
    return "\n".join([opening, *places[-MAX_PLACES:]])
