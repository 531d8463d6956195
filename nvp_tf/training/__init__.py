"""Training: a config and a data set in, a run's folder out, through whatever happens on the way."""
