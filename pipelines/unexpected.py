"""Errors nobody raised on purpose: told without their messages, which could quote a post."""

import os
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


def describe_system_error(error: OSError) -> str | None:
    """Describe what the system refused (a full disk, say) by cause and path; ``None`` if the error names no cause."""
    if error.errno is None:
        return None
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{where}{os.strerror(error.errno)}; mend that and give the same command again"
