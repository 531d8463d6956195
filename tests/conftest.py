"""What every test runs under: two logical CPU devices, graphs as commands have them, a fixed seed, our own warnings as
errors."""

import gc
import os
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from nvp_tf.runtime import as_traced, uncollected

with uncollected():
    import shared
    import tensorflow as tf
    import tensorflow_probability  # noqa: F401  of most tests

# Two devices, for tests of replicas. Not possible any more once TensorFlow has initialised.
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
as_traced()
gc.set_threshold(100_000)  # graphs are many objects in circles: to look for them now and then takes a tenth of the time


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):  # a worker of pytest-xdist has one
        shared.remove()


def pytest_collection_modifyitems(items):
    """Tests of whole commands first: they are the longest, and what begins last ends last."""
    items.sort(key=lambda item: item.path.parent.name != "tests")


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", r"error:::nvp_tf\..*")


@pytest.fixture(autouse=True)
def fixed_seed():
    """Keras' initializers draw by Python's numbers. TensorFlow's own seed is left alone: to set it throws away what it
    has made of operations and functions."""
    random.seed(2018)
    np.random.seed(2018)
