"""Draws from a run: a picture, or with a name ending in .npy the values themselves.

nvp_tf sample --run_dir=runs/digits --out=samples.png --num=64 --temperature=0.9 --seed=1
"""

from typing import Any

from absl import flags

from nvp_tf import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run's folder.", required=True)
flags.DEFINE_string("out", None, "The file to write: .png, .jpg or .npy.", required=True)
flags.DEFINE_integer("num", None, "How many; 64 images or 2000 points if not given.", lower_bound=1)
flags.DEFINE_float("temperature", 1.0, "Factor of the latents, positive; 1 is the model.")
flags.DEFINE_integer("seed", 0, "The same seed draws the same.", lower_bound=0)
flags.register_validator("temperature", lambda t: 0 < t < float("inf"), "expected a positive number")
flags.DEFINE_enum("weights", "best", ["best", "last"], "Which of the run's weights.")


def main() -> dict[str, Any]:
    cli.quiet_tensorflow()
    import numpy as np

    from nvp_tf.files import written_whole
    from nvp_tf.pictures import layout
    from nvp_tf.pictures.samples import default_count, sample_picture
    from nvp_tf.runs.run_dir import RunDir

    flow = RunDir(FLAGS.run_dir).load_flow(FLAGS.weights)
    num = FLAGS.num or default_count(flow)
    if FLAGS.out.endswith(".npy"):
        with written_whole(FLAGS.out) as partial:
            np.save(partial, flow.sample(num, FLAGS.seed, FLAGS.temperature).numpy())
    else:
        layout.save(sample_picture(flow, num, FLAGS.seed, FLAGS.temperature), FLAGS.out)
    return {
        "out": FLAGS.out,
        "num": num,
        "temperature": FLAGS.temperature,
        "seed": FLAGS.seed,
        "run_dir": FLAGS.run_dir,
    }
