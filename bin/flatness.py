"""`nvp_tf flatness`, of this checkout."""

from nvp_tf.__main__ import main

main("flatness")
