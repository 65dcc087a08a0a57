"""The job secret: shown to nobody, and the root of every key."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from fmi_core.errors import ConfigError

__all__ = ["Secret"]

_MIN_CHARS = 16


class Secret:
    """A job's shared secret. ``repr``, ``str`` and pickling never show it; :meth:`reveal` does.

    Raises:
        ConfigError: the text is shorter than 16 characters (the error does not repeat it).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if len(text) < _MIN_CHARS:
            raise ConfigError(
                f"the job secret has {len(text)} characters, expected at least {_MIN_CHARS}; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                name="FMI_SECRET",
            )
        self._text = text

    @classmethod
    def generate(cls) -> Secret:
        """A new secret of 256 random bits."""
        return cls(secrets.token_urlsafe(32))

    def reveal(self) -> str:
        """The text itself, to hand it to a rank's environment; never log it."""
        return self._text

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose: HMAC-SHA256 of ``purpose`` under the secret (RFC 2104)."""
        return hmac.digest(self._text.encode(errors="surrogateescape"), b"fmi-core/" + purpose.encode(), sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self.derive("hash"))

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled; pass it through the environment (FMI_SECRET)")
