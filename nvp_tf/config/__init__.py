"""What a model, a data set and a training run are: frozen values with JSON both ways. No TensorFlow."""
