"""The commands, a file each: flags, and `main(*words)`, which returns what to print. `nvp_tf NAME` runs one."""
