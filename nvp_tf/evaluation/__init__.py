"""How well a flow does on a split, and where one score stands among those of held-out data."""
