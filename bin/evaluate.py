"""`nvp_tf evaluate`, of this checkout."""

from nvp_tf.__main__ import main

main("evaluate")
