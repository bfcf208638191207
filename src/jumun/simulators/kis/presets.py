"""Named sets of switches for clients that read KIS in one of its possible ways."""

from typing import Final

import msgspec

from jumun.model.errors import ConfigError
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.switches import KisSwitches


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """Switches, and why."""

    text: str
    rest: KisSwitches = KisSwitches()
    stream: StreamSwitches = StreamSwitches()


PRESETS: Final = {
    "": Preset(text="every switch at its default"),
    "mojito2": Preset(
        text=(
            "mojito2 0.1.6 reads notices of 23 fields and cuts trades that share a frame at 46 "
            "(kis.md 5.5, 5.6, 7.5)"
        ),
        stream=StreamSwitches(notice_layout=23, trade_layout=46),
    ),
    "python-kis": Preset(
        text=(
            "python-kis 2.1.6 sends 19 calls a second (2 on paper), more than KIS allows since April 2026, "
            "takes a new approval key for every registration, "
            "and reads notices of 23 (US: 21) and trades of 46 fields only (kis.md 7.1, 7.5)"
        ),
        rest=KisSwitches(rate_limit=0, approval_limit=0),
        stream=StreamSwitches(notice_layout=23, overseas_layout=21, trade_layout=46),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset; raises ConfigError for an unknown name."""
    if name not in PRESETS:
        known = ", ".join(sorted(filter(None, PRESETS)))
        raise ConfigError(f"preset {name!r} is unknown; use {known}, or none")
    return PRESETS[name]
