"""`nvp_tf out_of_distribution`, of this checkout."""

from nvp_tf.__main__ import main

main("out_of_distribution")
