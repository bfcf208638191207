"""The cipher of order notices: AES-256-CBC, PKCS7, base64 (kis.md 5.4).

Key and iv come with the acknowledgement of each stream and are used as their UTF-8 bytes. What does not open
is unreadable, never half read (F-28).
"""

import binascii
from base64 import b64decode
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from jumun.brokers.kis.access import Secret
from jumun.model.errors import UnreadableReply

KEY_BYTES: Final = 32
IV_BYTES: Final = 16
BLOCK_BITS: Final = 128
_NEXT_STEP: Final = "register the stream again for a new key, and ask for the history"


class StreamKeys(msgspec.Struct, frozen=True):
    """Key and iv of one registered stream; both print as masks."""

    key: Secret
    iv: Secret


def decrypt(text: str, keys: StreamKeys) -> str:
    """Return the plain text of a payload.

    Raises UnreadableReply, with the cipher text as `raw`, for a key or iv of the wrong length, text that is
    not base64 of whole blocks, bad padding (as a wrong key gives) and bytes that are not UTF-8.
    """
    key, iv = keys.key.reveal().encode(), keys.iv.reveal().encode()
    if (len(key), len(iv)) != (KEY_BYTES, IV_BYTES):
        raise UnreadableReply(
            f"the notice key has {len(key)} bytes and its iv {len(iv)}, not {KEY_BYTES} and {IV_BYTES}; "
            f"{_NEXT_STEP}",
            raw=text,
        )
    try:
        sealed = b64decode(text, validate=True)
        opener = Cipher(AES256(key), CBC(iv)).decryptor()
        padded = opener.update(sealed) + opener.finalize()
        unpadder = PKCS7(BLOCK_BITS).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except (binascii.Error, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise UnreadableReply(
            f"a notice could not be decrypted ({type(error).__name__}); {_NEXT_STEP}", raw=text
        ) from None
