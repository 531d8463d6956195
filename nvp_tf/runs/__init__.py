"""A run's folder: its files, its checkpoints, opening it with its data, tables of many runs."""
