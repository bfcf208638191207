"""`python -m jumun` takes the same words as `jumun`."""

import sys

from jumun.doors.cli import main

if __name__ == "__main__":
    sys.exit(main())
