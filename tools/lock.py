"""Write the lock files in requirements/ from pyproject.toml.

`make lock` runs this with the uv of requirements/tools.txt. It asks the index that pip is configured
with, and writes files that name versions and hashes only: no index, no host, no path of this machine.
One lock serves Python 3.11 and up, by markers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHON_MIN: Final = "3.11"

# name: what it is for, and the arguments that choose its packages.
# test.txt is solved against run.txt and tools.txt against test.txt, so the three never disagree.
LOCKS: Final[dict[str, tuple[str, list[str]]]] = {
    "run": ("the program, and the build backend that installs it", ["--group", "build"]),
    "test": (
        "the program and everything `make test` needs",
        ["--group", "test", "-c", "requirements/run.txt"],
    ),
    "tools": (
        "build-time tools, beside requirements/test.txt",
        ["--group", "tools", "-c", "requirements/test.txt"],
    ),
    "extras": ("every optional extra", ["--all-extras", "-c", "requirements/test.txt"]),
}


def pip_settings() -> dict[str, str]:
    """Return pip's own index and certificate settings under the names that uv reads."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found = dict(re.findall(r"^\S*?\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE))
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in found.items() if key in names}


def write_lock(name: str, upgrade: bool) -> None:
    """Solve one lock and write it with a header that says how."""
    purpose, choice = LOCKS[name]
    target = ROOT / "requirements" / f"{name}.txt"
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *choice]
    command += [
        "--universal",
        "--python-version",
        PYTHON_MIN,
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
    ]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-config", "--quiet"]
    # uv keeps the versions it finds in the output file; --upgrade lets them move.
    command += ["--upgrade", "--output-file", str(target)] if upgrade else ["--output-file", str(target)]
    env = {**os.environ, **pip_settings()}
    subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    locked = "\n".join(line for line in target.read_text().splitlines() if not line.startswith("# "))
    header = f"# Lock: {purpose}.\n# Written by `make lock` from pyproject.toml; do not edit.\n"
    target.write_text(f"{header}{locked}\n")


def main() -> int:
    """Write every lock; `--upgrade` takes the newest versions that pyproject.toml allows."""
    (ROOT / "requirements").mkdir(exist_ok=True)
    for name in LOCKS:
        print(f"locking {name}", flush=True)
        write_lock(name, upgrade="--upgrade" in sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
