"""`nvp_tf figure`, of this checkout."""

from nvp_tf.__main__ import main

main("figure")
