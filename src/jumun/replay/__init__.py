"""Replays: days of prices and signals through the whole system, on a clock that the replay drives."""

from jumun.replay.commands import run_demo, run_replay
from jumun.replay.options import DemoOptions, ReplayOptions

__all__ = ["DemoOptions", "ReplayOptions", "run_demo", "run_replay"]
