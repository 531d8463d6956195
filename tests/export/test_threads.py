"""What an export does when several threads ask it at once."""

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2


@pytest.mark.parametrize("name", ["grey", "colour", "vector"])
def test_no_kernel_that_keeps_what_it_adds(saved, name):
    """oneDNN's convolution with a fused sum has it in the kernel, which all threads share: asked for single images by
    four threads, one process in three ended with a segmentation fault within half a minute."""
    _, x, model = saved[name]
    as_served = tf.compat.v1.ConfigProto()  # with all that TensorFlow does to a graph
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph, config=as_served) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(model)).signature_def
        ran = config_pb2.RunMetadata()
        options = config_pb2.RunOptions(output_partition_graphs=True)
        [feed], fetch = loaded["score"].inputs.values(), loaded["score"].outputs["log_prob"].name
        session.run(fetch, {feed.name: x[:2]}, options=options, run_metadata=ran)
    nodes = [node for part in ran.partition_graphs for node in part.node]
    nodes += [node for part in ran.partition_graphs for function in part.library.function for node in function.node_def]
    assert any("Conv" in node.op or "MatMul" in node.op for node in nodes), {node.op for node in nodes}
    fused = [node for node in nodes if b"Add" in node.attr["fused_ops"].list.s]
    assert not fused, [node.name for node in fused]
