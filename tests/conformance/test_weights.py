"""Every weight of every case is in a .weights.h5 file and comes back from it to the bit."""

import keras
import numpy as np
import pytest
from cases import LAYERS, MODELS, NETWORKS

CASES = LAYERS | NETWORKS | MODELS


class Holder(keras.Model):
    """What makes a file of one layer: only models are saved."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.built = True


@pytest.mark.parametrize("name", CASES)
def test_weights_come_back(name, tmp_path):
    first, second = CASES[name].shared, CASES[name].make(seed=2)
    assert len(first.weights) == len(second.weights)
    if not first.weights:
        return
    assert not any(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(first.weights, second.weights, strict=True))
    holder = first if isinstance(first, keras.Model) else Holder(first)
    other = second if isinstance(second, keras.Model) else Holder(second)
    holder.save_weights(tmp_path / "case.weights.h5")
    other.load_weights(tmp_path / "case.weights.h5")
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
