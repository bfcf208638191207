"""The cipher of order notices: AES-256-CBC with PKCS7, base64; key and iv are text (kis.md 5.4)."""

from base64 import b64decode, b64encode
from random import Random
from string import ascii_lowercase, digits
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

KEY_CHARS: Final = 32  # as UTF-8 bytes these are the 256 bits of the key (kis.md 5.2)
IV_CHARS: Final = 16
BLOCK_BITS: Final = 128
_ALPHABET: Final = ascii_lowercase + digits


class StreamCipher:
    """One key and iv. They reach the client in its acknowledgements and are shown nowhere else."""

    __slots__ = ("iv", "key")

    def __init__(self, key: str, iv: str) -> None:
        assert len(key.encode()) == KEY_CHARS, "AES-256 takes 32 bytes"
        assert len(iv.encode()) == IV_CHARS, "CBC takes 16 bytes"
        self.key = key
        self.iv = iv

    @classmethod
    def drawn(cls, random: Random) -> "StreamCipher":
        """Return a new pair; the same random state gives the same pair."""
        return cls(_text(random, KEY_CHARS), _text(random, IV_CHARS))

    def encrypt(self, text: str) -> str:
        """Return `text` as base64 of its cipher text."""
        padder = PKCS7(BLOCK_BITS).padder()
        padded = padder.update(text.encode()) + padder.finalize()
        encryptor = self._cipher().encryptor()
        return b64encode(encryptor.update(padded) + encryptor.finalize()).decode("ascii")

    def decrypt(self, text: str) -> str:
        """Return what `encrypt` was given; raises ValueError for anything else (F-28)."""
        decryptor = self._cipher().decryptor()
        padded = decryptor.update(b64decode(text, validate=True)) + decryptor.finalize()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self.key.encode()), modes.CBC(self.iv.encode()))

    def __repr__(self) -> str:
        return "StreamCipher(***)"


def _text(random: Random, count: int) -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(count))
