"""The errors a caller may want to tell apart; every message says what was expected, found, and what to do next."""


class ScreeningError(Exception):
    """Base of every error this toolkit raises on purpose."""


class ConfigError(ScreeningError):
    """A configuration file, override or option is wrong (exit code 2)."""


class SchemaError(ScreeningError):
    """Input posts break the schema; rows are named by id or number, never by text (exit code 2)."""


class DataAccessError(ScreeningError):
    """A data set or file is not reachable; the message says how to get it (exit code 2)."""


class NotCalibratedError(ScreeningError):
    """Something needs an operating point or a temperature that has not been fitted yet (exit code 2)."""


class MissingArtifactError(ScreeningError):
    """An earlier stage has not produced what this one needs (exit code 2)."""


class BundleError(ScreeningError):
    """A screener bundle or encoder is incomplete, altered, or of another format (exit code 2)."""


class RecallNotReachableError(ScreeningError):
    """No threshold keeps the recall promise on these calibration posts (exit code 3)."""
