"""Pictures of a run, a figure a file; `registry` has them by name."""
