"""`nvp_tf page`, of this checkout."""

from nvp_tf.__main__ import main

main("page")
