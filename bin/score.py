"""`nvp_tf score`, of this checkout."""

from nvp_tf.__main__ import main

main("score")
