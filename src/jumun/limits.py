"""Bounds of the doors and the program around the desk, each with its reason (STYLE 17).

The limits a user sets (queue size, order value, …) are settings, in config.py. These are not: they protect
the process from its callers.
"""

from typing import Final

# gRPC
MESSAGE_BYTES_MAX: Final = 512 * 1024  # a full batch of usual orders is below 200 KiB
REPLY_BYTES_MAX: Final = 4 * 1024 * 1024  # a full page of orders is below 1 MiB
RPCS_MAX: Final = 4_096  # calls at once; each holds a few KiB, and the queue takes 1,000 orders
PENDING_MAX: Final = 4 * RPCS_MAX  # calls that the library has read and nobody looked at yet
STREAM_PENDING_MAX: Final = 256  # orders of one stream that wait for their answers
BATCH_ORDERS_MAX: Final = 1_000  # orders in one message: one question for their keys, one or two commits
BULK_PENDING_MAX: Final = 2_000  # orders of one bulk stream that wait: one batch commits, the next one comes
DEADLINE_ROOM_S: Final = 0.05  # before a caller's deadline, so that our sentence still reaches the caller
SUBSCRIBERS_MAX: Final = 64  # event streams at once: strategies, screens, a few tools
EVENT_WRITE_S: Final = 30.0  # a subscriber that takes longer for one message gives its place back
HEARTBEAT_S: Final = 5.0  # between two signs of life on a quiet event stream; monitors allow two missed
PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 500  # orders in one GetUserOrders reply
TEXT_MAX: Final = 200  # characters in any text field of a request; the longest column is shorter
SIGNAL_AHEAD_S: Final = 86_400  # a signal time further ahead of our clock is a wrong clock or a wrong unit
SIGNAL_BEHIND_S: Final = 7 * 86_400  # an older one is a replay: a long weekend with a holiday fits
DEADLINE_S: Final = 30.0  # what the command line waits for an answer; a commit takes milliseconds

DRAIN_LOOK_S: Final = 0.05  # a stop waits until no call came or ended …
DRAIN_LOOKS: Final = 10  # … at so many looks behind each other: a busy loop reads on between two of them
DRAIN_MAX_S: Final = 3.0  # … and at most this long for callers who go on asking: all are told NOT_READY
STREAM_GRACE_S: Final = 1.0  # what an open stream or watch gets to end, once every answer is out

# The broker
BROKER_SILENT_MAX_S: Final = 10.0  # one lost question is weather; longer, and nobody should rely on us

# HTTP
HTTP_CONNECTIONS_MAX: Final = 128  # a few monitors and people
HTTP_BACKLOG: Final = 128

# The command line
LIST_MAX: Final = 10_000  # rows one command prints at most
PREFIX_MIN: Final = 4  # characters of an order id that are worth looking up

# The background of the service
MARK_INTERVAL_S: Final = 30.0  # how often positions are valued: 2,880 records a day at most
VERIFY_STEP: Final = 2_000  # old records checked at a time, some tens of milliseconds of a thread
VERIFY_PAUSE_S: Final = 0.1  # between two steps: live orders come first
LOG_TEXT_MAX: Final = 2_000  # characters of one value in a log line

assert PAGE_DEFAULT <= PAGE_MAX, "the default page must be a page that may be asked for"
assert BATCH_ORDERS_MAX <= BULK_PENDING_MAX, "a full batch must fit into its stream"
assert STREAM_PENDING_MAX <= RPCS_MAX, "one stream must not hold more than the whole door"
