"""`nvp_tf datasets`, of this checkout."""

from nvp_tf.__main__ import main

main("datasets")
