"""`nvp_tf tables`, of this checkout."""

from nvp_tf.__main__ import main

main("tables")
