"""`python -m benchmarks`."""

from benchmarks import command
from nvp_tf import cli

cli.run(command)
