"""The files of the repository, as its tests look at them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
# Only where git is absent (an unpacked archive): folders that are never part of the product.
NEVER_OURS: Final = frozenset(
    {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "mutants"}
)


def our_files() -> list[Path]:
    """Return every file that is tracked, or new and not ignored, in path order."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        files = [ROOT / name for name in listed.split("\0") if name]
    else:
        files = [one for one in ROOT.rglob("*") if not NEVER_OURS.intersection(one.relative_to(ROOT).parts)]
    return sorted({one for one in files if one.is_file()})


def texts(*suffixes: str) -> list[tuple[str, str]]:
    """Return (path from the root, text) of our text files; with suffixes, only those."""
    found = []
    for path in our_files():
        data = path.read_bytes()
        if b"\0" not in data and (not suffixes or path.suffix in suffixes):
            found.append((path.relative_to(ROOT).as_posix(), data.decode("utf-8")))
    return found
