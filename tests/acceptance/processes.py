"""Real processes for acceptance tests: an exchange and a service on free loopback ports, killed for real."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import msgspec

from jumun.exchange.protocol import Answer, AskOracle, Call, OracleTold, Reply

READY_S: Final = 60.0  # a start on a busy machine; nothing asserts on it
SOURCE: Final = Path(__file__).resolve().parents[2] / "src"
_DECODER: Final = msgspec.json.Decoder(Reply)


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """One process of ours with its output in a file. Ended by its own id, whatever the test does."""

    arguments: list[str]
    environment: dict[str, str]
    output: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; the environment holds nothing but what is given."""
        base = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.output.parent),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(SOURCE),
        }
        with self.output.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jumun", *self.arguments],
                env={**base, **self.environment},
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.output.parent,
            )
        return self

    def wait_for_port(self, port: int) -> Self:
        """Wait until it listens; fails with its output when it ends first."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"{self.arguments} ended:\n{self.text()}"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError(f"{self.arguments} did not listen within {READY_S} s:\n{self.text()}")

    def kill(self) -> None:
        """kill -9, and reap it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(READY_S)

    def terminate(self) -> int:
        """SIGTERM, as a person or a supervisor would; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_S)

    def text(self) -> str:
        """What it printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""


@dataclass
class Rig:
    """An exchange process and a service beside each other, in one folder."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    pace: float = 0.0
    exchange_port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    exchange: Program | None = None
    service: Program | None = None

    @property
    def store(self) -> Path:
        """The service's store."""
        return self.folder / "jumun.db"

    @property
    def environment(self) -> dict[str, str]:
        """The service's settings, all explicit."""
        return {
            "OMS_STORE_PATH": str(self.store),
            "OMS_GRPC_PORT": str(self.grpc_port),
            "OMS_HTTP_PORT": str(self.http_port),
            "OMS_EXCHANGE": f"127.0.0.1:{self.exchange_port}",
            "LOG_FORMAT": "json",
            **self.settings,
        }

    def start_exchange(self) -> None:
        """Start the exchange on its durable ledger."""
        ledger = str(self.folder / "exchange.jsonl")
        arguments = ["simulate", "exchange", "--port", str(self.exchange_port), "--ledger", ledger]
        if self.pace:
            arguments += ["--pace", str(self.pace)]
        market = {name: text for name, text in self.settings.items() if name.startswith("OMS_SIM_")}
        program = Program(arguments, market, self.folder / "exchange.log")
        self.exchange = program.start().wait_for_port(self.exchange_port)

    def start_service(self, *, wait: bool = True) -> None:
        """Start the service on its store."""
        self.service = Program(["serve"], self.environment, self.folder / "service.log").start()
        if wait:
            self.service.wait_for_port(self.grpc_port)

    def stop(self) -> None:
        """End both, by their ids."""
        for program in (self.service, self.exchange):
            if program is not None:
                program.kill()

    def oracle(self) -> OracleTold:
        """Ask the exchange what really happened."""
        told = ask(self.exchange_port, AskOracle())
        assert isinstance(told, OracleTold)
        return told

    def jumun(self, *arguments: str, timeout_s: float = READY_S) -> subprocess.CompletedProcess[str]:
        """Run one jumun command against this rig, as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "jumun", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "COLUMNS": "120",
                "PYTHONPATH": str(SOURCE),
                **self.environment,
            },
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def jumun_json(self, *arguments: str) -> object:
        """Run a command with --json and return what it printed; fails with its message."""
        done = self.jumun(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.stderr}\n{done.stdout}"
        return json.loads(done.stdout)


def ask(port: int, command: object) -> Answer:
    """Put one question to the exchange over a connection of its own."""
    line = msgspec.json.encode(Call(id=1, call=command)) + b"\n"  # type: ignore[arg-type]
    with socket.create_connection(("127.0.0.1", port), timeout=READY_S) as connection:
        connection.sendall(line)
        with connection.makefile("rb") as stream:
            for reply in stream:
                answer: Answer = _DECODER.decode(reply).answer
                return answer
    raise AssertionError(f"the exchange at {port} hung up on {command}")
