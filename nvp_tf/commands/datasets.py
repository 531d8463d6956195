"""Lists the data sets: what each is, whether it is here, and how to get it.

nvp_tf datasets --data_dir=DIR

Looks in DIR if it is given, otherwise where Debian and tensorflow_datasets put things.
"""

import sys

from absl import flags

from nvp_tf.data.catalogue import CATALOGUE, prepare_command

FLAGS = flags.FLAGS
flags.DEFINE_string("data_dir", None, "Where data sets' files are.")


def main() -> dict[str, list[str]]:
    found = {name: entry.found(FLAGS.data_dir) for name, entry in CATALOGUE.items()}
    for name, entry in CATALOGUE.items():
        print(f"{'+' if found[name] else '-'} {name:20} {entry.shape:12} {entry.what}", file=sys.stderr)
        if found[name]:
            print(f"{'':4}here: {found[name]}", file=sys.stderr)
            continue
        print(f"{'':4}files: {entry.get}", file=sys.stderr)
        if entry.builders:
            print(f"{'':4}or: {prepare_command(entry.builders[-1], FLAGS.data_dir)}", file=sys.stderr)
    print("Any other image data set of tensorflow_datasets goes by its own name.", file=sys.stderr)
    return {"present": [name for name in found if found[name]], "absent": [name for name in found if not found[name]]}
