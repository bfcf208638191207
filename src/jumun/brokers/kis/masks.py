"""Takes our secrets out of whatever KIS answers, before anybody keeps or prints it (I-66)."""

from typing import Final

from jumun.brokers.kis.access import KisAccess, Secret

STARS: Final = "***"
TEXT_MAX: Final = 200  # of a foreign text inside one of our sentences
WORD_MIN: Final = 8  # shorter ones, of a simulator, would mask the words of the answer itself
WORDS_MAX: Final = 16  # key, secret, and the newest tokens and approval keys


class Mask:
    """The words that must not be seen. An answer may spell them as JSON does, with escaped slashes."""

    def __init__(self, access: KisAccess) -> None:
        """Begin with the app key and its secret."""
        self._fixed = _spellings(access.app_key) + _spellings(access.app_secret)
        self._issued: list[str] = []

    def add(self, secret: Secret) -> None:
        """Mask this one as well; the oldest of many is forgotten, as it no longer opens anything."""
        self._issued = [*self._issued, *_spellings(secret)][-WORDS_MAX:]

    def text(self, text: str) -> str:
        """Return the text without them, short enough for a sentence."""
        for word in (*self._fixed, *self._issued):
            text = text.replace(word, STARS)
        return text[:TEXT_MAX]

    def body(self, body: bytes) -> bytes:
        """Return the bytes without them."""
        for word in (*self._fixed, *self._issued):
            body = body.replace(word.encode(), STARS.encode())
        return body


def _spellings(secret: Secret) -> list[str]:
    plain = secret.reveal()
    return list(dict.fromkeys((plain, plain.replace("/", "\\/")))) if len(plain) >= WORD_MIN else []
