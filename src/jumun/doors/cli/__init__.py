"""The command line: a door (STYLE 14). Commands parse, ask and describe; each imports what it needs."""

import os
import sys
from collections.abc import Sequence
from typing import Final

OK: Final = 0
REFUSED: Final = 1  # refused or failed; one sentence on stderr says why
USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (refused or failed) or 2 (usage)."""
    # The gRPC library prints its own words on stderr; ours say what to do. To be set before it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from cyclopts import CycloptsError

    from jumun.doors.cli.program import program
    from jumun.model.errors import OmsError

    try:
        result = program()(
            list(sys.argv[1:] if arguments is None else arguments),
            exit_on_error=False,
            print_error=True,
            result_action="return_value",
        )
    except CycloptsError:
        return USAGE
    except OmsError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        # Whoever read us has what it wanted (`jumun orders | head`). Nothing may be flushed into the gap.
        sys.stderr.close()
        return OK
    except KeyboardInterrupt:
        print("INTERRUPTED: stopped by the keyboard; nothing more was asked for", file=sys.stderr)
        return REFUSED
    return result if isinstance(result, int) else OK
