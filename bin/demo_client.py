"""What a consumer of an export does: TensorFlow and raw pixels, nothing of this package.

python bin/demo_client.py SCORES_JSON EXPORT_JSON PICTURE; prints the demo's line of JSON.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

scores, export, picture = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
model = tf.saved_model.load(export["path"]).signatures
digit = load_digits().images[:1, :, :, None].astype(np.uint8)
answers = {
    name: float(model["log_prob"](images=tf.constant(image))["bits_per_dim"][0])
    for name, image in {"digit": digit, "negative": 16 - digit}.items()
}
print(f"    a digit has {answers['digit']:.2f} bits/dim, its negative {answers['negative']:.2f}", file=sys.stderr)
print(
    json.dumps(
        {
            "bits_per_dim": scores["bits_per_dim"],
            "standard_error": scores["standard_error"],
            "examples": scores["examples"],
            "run_dir": scores["run_dir"],
            "samples": picture,
            "saved_model": export["path"],
            "saved_model_bits_per_dim": answers,
        }
    )
)
