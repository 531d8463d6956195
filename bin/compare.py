"""`nvp_tf compare`, of this checkout."""

from nvp_tf.__main__ import main

main("compare")
