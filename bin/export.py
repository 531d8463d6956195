"""`nvp_tf export`, of this checkout."""

from nvp_tf.__main__ import main

main("export")
