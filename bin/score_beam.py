"""`nvp_tf score_beam`, of this checkout."""

from nvp_tf.__main__ import main

main("score_beam")
