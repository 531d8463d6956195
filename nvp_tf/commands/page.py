"""Writes a page to touch: static files in which an export's model draws and scores pictures in the browser.

nvp_tf page --model=saved_models/fashion --out=page
python3 -m http.server --directory page

docs/page.md says what is on it.
"""

from typing import Any

from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "The export's folder.", required=True)
flags.DEFINE_string("out", None, "The folder to write; one that is a page already is written anew.", required=True)


def main() -> dict[str, Any]:
    from nvp_tf.exporting.page.writing import write
    from nvp_tf.files import cache_folder

    return write(FLAGS.model, FLAGS.out, cache_folder())
