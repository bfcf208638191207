"""The access token across restarts: one small file that only its owner can read (kis.md 2.1).

KIS tells its customer of every token it issues and gives one a minute, so a service that starts again must
not ask again. The file names its owner by a digest of app key and host: a paper and a live token never mix.
"""

import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import Final

import msgspec
import structlog

from jumun.brokers.kis.access import KisAccess, Secret

FILE_MAX: Final = 16_384  # bytes; a token has 350 characters
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

log = structlog.get_logger()


class TokenNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered: when a token was last asked for, and the one that was given, if any."""

    asked_ns: int
    token: Secret
    expires_ns: int


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    asked_ns: int
    token: str
    expires_ns: int


class TokenFile:
    """Reads and replaces the note of one app key on one host. Without a path it remembers nothing."""

    def __init__(self, path: Path | None, access: KisAccess) -> None:
        """`path` is a file of this app key's own; its folder is made when needed."""
        self._path = path
        self._owner = sha256(f"{access.app_key.reveal()} {access.rest_url}".encode()).hexdigest()

    def read(self) -> TokenNote | None:
        """Return the note; None, with a warning, for a file that others can read or that is not ours."""
        if self._path is None:
            return None
        try:
            written = msgspec.json.decode(self._text(self._path), type=_Written)
        except FileNotFoundError:
            return None
        except OSError as error:
            why, next_step = f"it cannot be read: {error.strerror}", "make it readable for this user"
        except NotPrivate as error:
            why, next_step = str(error), "give it mode 0600 and this user as its owner, or delete it"
        except (msgspec.DecodeError, UnicodeDecodeError):
            why, next_step = "it is no token file", "delete it"
        else:
            if written.owner == self._owner:
                token = Secret(written.token)
                return TokenNote(asked_ns=written.asked_ns, token=token, expires_ns=written.expires_ns)
            why, next_step = "it is of another app key or host", "give each a file of its own"
        log.warning("kis_token_file_ignored", path=str(self._path), why=why, next_step=next_step)
        return None

    def write(self, note: TokenNote) -> None:
        """Replace the file in one step. A failure is told; it costs a new token at the next start."""
        if self._path is None:
            return
        written = _Written(
            owner=self._owner,
            asked_ns=note.asked_ns,
            token=note.token.reveal(),
            expires_ns=note.expires_ns,
        )
        try:
            _replace(self._path, msgspec.json.encode(written))
        except OSError as error:
            log.warning(
                "kis_token_file_not_written",
                path=str(self._path),
                why=error.strerror,
                next_step="make its folder writable, or every start asks KIS for a new token",
            )

    def remove(self) -> None:
        """Forget the note."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _text(self, path: Path) -> bytes:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            about = os.fstat(file)
            if not stat.S_ISREG(about.st_mode) or about.st_mode & OTHERS or about.st_uid != os.getuid():
                raise NotPrivate("others than its owner may read it, or it is no plain file of ours")
            return os.read(file, FILE_MAX)
        finally:
            os.close(file)


class NotPrivate(Exception):
    """The file is not kept as a secret must be."""


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from its first moment
    try:
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
