"""What a person can do about an answer of KIS that is about who asks, and not about what was asked.

Keys, account and functions of one environment are refused in the other (kis.md 1.1), and none of these
answers says so. To ask again later helps nobody then.
"""

from typing import Final

from jumun.brokers.kis.access import KisAccess, KisEnvironment, is_local

_KEYS: Final = frozenset(
    {
        *("EGW00103", "EGW00105", "EGW00304"),  # app key, app secret (kis.md 6.1)
        *("OPSP0010", "OPSP8994", "OPSP8995", "OPSP9994"),  # the same at the stream (5.9)
    }
)
# A transaction or stream that the other service has: paper's names are refused in live and the reverse.
_FUNCTIONS: Final = frozenset({"EGW00213", "EGW2004", "OPSQ0002", "OPSP8991"})
_ACCOUNTS: Final = frozenset({"OPSQ2000"})  # account check failed (6.2)
_HTS_IDS: Final = frozenset({"OPSP8992", "OPSP8993"})  # the key of a notice stream is the HTS id (5.9)
IN_USE: Final = "OPSP8996"  # one session for each app key (7.2)
_OTHER: Final = {KisEnvironment.LIVE: KisEnvironment.PAPER, KisEnvironment.PAPER: KisEnvironment.LIVE}


def who_asks(code: str, access: KisAccess) -> str:
    """Return what to do about a refusal of who asks; empty where `code` is about something else."""
    ours, other = access.environment.value, _OTHER[access.environment].value
    if code in _KEYS:
        why = f"these keys are not of the {ours} service"
    elif code in _FUNCTIONS:
        why = f"this is not how the {ours} service answers: the keys or the address may be of {other}"
    elif code in _ACCOUNTS:
        why = f"the account does not go with these keys in the {ours} service"
    elif code in _HTS_IDS:
        return "the HTS id does not go with these keys; check KIS_HTS_ID"
    elif code == IN_USE:
        return "another program uses this app key, or its session has just ended; stop it, or wait a minute"
    else:
        return ""
    return f"{why}; {_remedy(access)}"


def _remedy(access: KisAccess) -> str:
    if is_local(access.rest_url):
        if access.environment is KisEnvironment.LIVE:
            right = "if the local KIS was started with --paper, set KIS_SIM_AS=paper"
        else:
            right = "if the local KIS was started without --paper, leave KIS_SIM_AS out"
        return f"{right}, else set KIS_ACCOUNT_NO, KIS_APP_KEY and KIS_APP_SECRET to what it prints"
    if access.environment is KisEnvironment.LIVE:
        right = "those of KIS's paper service need OMS_ENVIRONMENT=paper"
    else:
        right = "those of a real account do not work there, take the ones KIS gave for paper"
    return f"{right}; check KIS_APP_KEY, KIS_APP_SECRET, KIS_ACCOUNT_NO and KIS_BASE_URL"
