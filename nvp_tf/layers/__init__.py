"""Bijective layers, and what they are made of: masks, networks, batch statistics, recomputation."""
