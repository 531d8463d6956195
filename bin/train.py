"""`nvp_tf train`, of this checkout."""

from nvp_tf.__main__ import main

main("train")
