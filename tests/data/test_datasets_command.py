"""The list of data sets: what is here, and how to get the rest."""

import json
import subprocess
import sys

from commands import ENVIRONMENT, ROOT, finish, start

from nvp_tf.data.catalogue import CATALOGUE, look, look_for_all


def test_the_list_tells_what_is_here_without_tensorflow(tmp_path):
    (tmp_path / "LSUN" / "tower_train").mkdir(parents=True)
    (tmp_path / "TFD_48x48.mat").write_text("")
    status, out, err = finish(start("datasets", f"--data_dir={tmp_path}"))
    always = ["two_moons", "digits", "photos", "folder", "npz", "table", "breast_cancer", "wine", "diabetes"]
    assert status == 0 and all(f" {name} " in err for name in CATALOGUE)
    present = [name for name in CATALOGUE if name in [*always, "tfd", "lsun_tower"]]
    absent = [name for name in CATALOGUE if name not in present]
    assert json.loads(out) == {"present": present, "absent": absent}
    for name in absent:
        assert CATALOGUE[name].get in err and f"tfds.builder('{CATALOGUE[name].builders[-1]}', data_dir=" in err
    probe = "import sys, nvp_tf.data.catalogue; print(sorted({'tensorflow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], env=ENVIRONMENT, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_names_are_looked_for_near_the_data_dir(tmp_path):
    for folder in ("b/c/x", "a/x", "b/c/d/x"):
        (tmp_path / folder).mkdir(parents=True)
    assert look_for_all(tmp_path, "x") == [tmp_path / "a/x", tmp_path / "b/c/x"]
    assert look(tmp_path, "y") is look(None, "x") is None
