"""What every test runs under: two logical CPU devices, graphs as commands have them, a fixed seed, our own warnings as
errors."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

from nvp_tf.runtime import few_passes, uncollected

with uncollected():
    import keras
    import shared
    import tensorflow as tf
    import tensorflow_probability  # noqa: F401  of most tests

# Two devices, for tests of replicas. Not possible any more once TensorFlow has initialised.
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
few_passes()


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
    keras.utils.set_random_seed(2018)
