"""Real processes: each test gets a folder, free ports and an explicit environment, and leaves nothing running."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import Rig
