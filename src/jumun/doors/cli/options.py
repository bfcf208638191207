"""Options that several commands share."""

from typing import Annotated

from cyclopts import Parameter

AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON for a program to read.")]
