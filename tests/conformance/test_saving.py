"""Every layer, network, prior and flow is its config and its weights: saved, copied and pickled to the bit."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from cases import BIJECTORS, LAYERS, MODELS, NETWORKS, PRIORS, parts, randomize

CASES = LAYERS | NETWORKS | MODELS


def answers(layer, x):
    """What it says of x, and back."""
    if isinstance(layer, keras.Model):
        x = x if layer.pixels is None else x.astype("uint8")
        return [layer.log_prob(x), layer.encode(x), layer.sample(3, seed=4)]
    y = layer(x)
    return [*y, *layer.inverse(y[0])] if hasattr(layer, "inverse") else [*y] if isinstance(y, tuple) else [y]
