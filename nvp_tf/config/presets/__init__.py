"""Named runs: each a frozen Config, with where it comes from and the score to expect."""
