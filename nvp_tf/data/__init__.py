"""Data sets by name, and batches of them whose order and noise are functions of (seed, step)."""
