"""Passwords: argon2id hashes, a minimum length, and a check that costs the same for names that do not exist."""

import hashlib
import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from screening.exceptions import ConfigError

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 256
MIN_DISTINCT_CHARACTERS = 5

# What people type when asked for something long; compared without digits and punctuation.
_COMMON = frozenset(
    {
        "abcdefghijkl", "administrator", "asdfghjkl", "changeme", "iloveyou", "letmein", "password", "passwordpassword",
        "passwords", "passwort", "qwerty", "qwertyuiop", "qwertyuiopasdfgh", "qwertzuiop", "reviewapp", "reviewer",
        "screening", "screeningreview", "secret", "welcome", "willkommen",
    }
)  # fmt: skip
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Hash with argon2id.

    Raises
    ------
    ConfigError
        If the password is shorter than 12 or longer than 256 characters; the message never holds it.
    """
    n_characters = len(password)
    if not MIN_PASSWORD_CHARACTERS <= n_characters <= MAX_PASSWORD_CHARACTERS:
        message = (
            f"a password needs {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters, found {n_characters}"
        )
        raise ConfigError(message)
    return _HASHER.hash(_normalize(password))


def validate_password(password: str, user_name: str) -> None:
    """Refuse passwords that are guessed first; length is checked where the hash is made.

    Raises
    ------
    ConfigError
        If it holds the user name, repeats few characters, or is a well-known word with digits. The message never
        holds it.
    """
    plain = _normalize(password).lower()
    letters = "".join(character for character in plain if character.isalpha())
    problem = None
    if user_name.split("@", maxsplit=1)[0] in plain:
        problem = "holds the user name"
    elif len(set(plain)) < MIN_DISTINCT_CHARACTERS:
        problem = f"uses fewer than {MIN_DISTINCT_CHARACTERS} different characters"
    elif not letters or letters in _COMMON:
        problem = "is a common word with digits around it, or digits only"
    if problem is not None:
        message = f"this password {problem} and would be guessed early; choose a sentence of your own"
        raise ConfigError(message)


def is_password_right(password: str, password_hash: str | None) -> bool:
    """Compare in the time of one argon2 run, also when there is no hash to compare with."""
    try:
        matches = _HASHER.verify(password_hash or _decoy_hash(), _normalize(password[: MAX_PASSWORD_CHARACTERS + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Tell whether the hash was made with weaker settings than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def generate_password() -> str:
    """20 random characters in groups, easy to type, about 99 bits (letters and digits that look alike are left out)."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def compute_password_tag(password_hash: str | None) -> str:
    """Short digest of a hash: tells whether the password changed since a session was opened."""
    return hashlib.sha256((password_hash or "").encode()).hexdigest()[:16]


def prepare_decoy() -> None:
    """Make the decoy hash now, so that the first unknown name does not take longer than a known one."""
    _decoy_hash()


@cache
def _decoy_hash() -> str:
    return _HASHER.hash(secrets.token_hex(16))


def _normalize(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
