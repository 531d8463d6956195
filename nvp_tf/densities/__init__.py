"""The density models of chapter 4 beside the flows: one contract, one budget, one table."""
