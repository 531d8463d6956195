"""`nvp_tf sample`, of this checkout."""

from nvp_tf.__main__ import main

main("sample")
