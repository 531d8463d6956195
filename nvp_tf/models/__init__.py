"""Density models: a chain of layers with a prior, the recipes that build them, and their views as TFP objects."""
