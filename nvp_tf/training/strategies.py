"""What a training step is spread over."""

import functools

import tensorflow as tf


def make_strategy(name):
    """ "mirrored": a replica on each GPU, or one on the CPU. "none": the plain one-device strategy."""
    return _mirrored() if name == "mirrored" else tf.distribute.get_strategy()


@functools.cache
def _mirrored():
    # One a process: each strategy numbers its collectives from the same start, and TensorFlow remembers
    # their shapes by number, so that a second strategy with another model fails on two devices.
    return tf.distribute.MirroredStrategy()
