"""Messages of TensorFlow Serving are TensorFlow's own, read and written without it."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import ENVIRONMENT

from nvp_tf.scoring.serving_protocol import array_of, dtype_of, tensor_of

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (3, 4), (2, 3, 4, 1)])
def test_arrays_are_those_of_tensorflow(dtype, shape):
    array = np.asarray(100 * RNG.rand(*shape)).astype(dtype)
    for tensor in (tensor_of(array), tf.make_tensor_proto(array)):
        for found in (array_of(tensor), tf.make_ndarray(tensor)):
            assert found.dtype == array.dtype and found.shape == shape
            np.testing.assert_array_equal(found, array)
    assert dtype_of(tf.as_dtype(dtype).as_datatype_enum) == dtype
    same = tf.constant(array.flat[0], dtype, (4, 2)) if array.size else tf.zeros((0, 2), dtype)
    packed = tf.make_tensor_proto(same)
    del packed.float_val[1:], packed.int_val[1:], packed.int64_val[1:], packed.double_val[1:]
    np.testing.assert_array_equal(array_of(packed), same)


def test_clients_do_without_tensorflow_and_it_can_be_imported_after():
    script = (
        "import sys, nvp_tf.scoring.grpc_server, nvp_tf.scoring.rest_server\n"
        "assert 'tensorflow' not in sys.modules\n"
        "import tensorflow as tf; from nvp_tf.scoring.serving_protocol import tensor_of\n"
        "import numpy as np; print(tf.make_ndarray(tensor_of(np.arange(3))).sum())"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout == "3\n", done.stderr
