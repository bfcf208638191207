"""The committed gRPC code is what protoc makes of proto/."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROTOS = ROOT / "proto"
GENERATED = ROOT / "src" / "jumun" / "doors" / "grpc" / "gen"
STAMP = re.compile(
    r"(?m)^.*(Protobuf Python Version|_VERSION = |^    [0-9]+,$).*\n"
)  # the tool's own version


@pytest.mark.parametrize("name", sorted(path.stem for path in PROTOS.glob("*.proto")))
def test_the_committed_code_is_made_from_the_proto_file(name: str, tmp_path: Path) -> None:
    options = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I",
            str(PROTOS),
            *options,
            str(PROTOS / f"{name}.proto"),
        ],
        check=True,
        timeout=60,
    )
    for made in (f"{name}_pb2.py", f"{name}_pb2.pyi"):
        fresh = STAMP.sub("", (tmp_path / made).read_text(encoding="utf-8"))
        kept = STAMP.sub("", (GENERATED / made).read_text(encoding="utf-8"))
        assert fresh == kept, f"{made} is stale; run `make proto`"
    stub = (GENERATED / f"{name}_pb2_grpc.py").read_text(encoding="utf-8")
    assert f"from . import {name}_pb2 as" in stub, "the import must be relative; run `make proto`"
