"""How TensorFlow comes into a process and computes there: import, graphs, variables, threads, memory, GPUs."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Of malloc.h, by number: from when on freed memory is handed back, what is asked for beyond a need, and what alone.
_KEEPING = {-1: 1 << 30, -2: 64 << 20, -3: 1 << 30}


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """For imports: what they make stays, so that it is not looked through for garbage, neither now nor at the end of
    the process. That takes as long as half of TensorFlow's import."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def as_traced() -> None:
    """Graphs run as they were traced. What TensorFlow does to one takes as long as its first run, and made no later run
    of flows shorter on a CPU: of a Real NVP's step it changes some constants. But it drops where each operation was
    made, which is else kept: 70 MB of `realnvp_digits`' training. On a GPU nothing was measured."""
    import tensorflow as tf

    if not gpus():
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def kept_whole(function: Callable, *signature: Any) -> Any:
    """The tf.function of that signature, or of any, whose calls stay calls in a larger graph: TensorFlow would else
    write each out again. Not rewritten by autograph, which takes as long as tracing."""
    import tensorflow as tf

    return tf.function(function, signature or None, autograph=False, experimental_attributes={"_noinline": True})


@contextlib.contextmanager
def unnamed_variables() -> Iterator[None]:
    """To TensorFlow each variable that is made within has the same name; Keras names them. It makes and keeps an
    operation for each name: half of the time that a thousand variables take, and 60 MB."""
    import tensorflow as tf

    def create(make: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
        with tf.name_scope("variable/"):
            return make(**options | {"name": "v"})

    with tf.variable_creator_scope(create):
        yield


def set_threads(threads: int) -> None:
    """So many for one operation, and operations beside each other on the cores that are left; where TensorFlow has
    computed something already, those that it has stay."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(max(2, cores() // threads))


def keep_memory() -> None:
    """What is freed stays in the process. glibc hands memory back once it is unused, and a step that asks for it anew
    waits for the kernel to clear it page by page: of workers a quarter of a step, of PyTorch up to a third."""
    with contextlib.suppress(AttributeError):  # another C library
        for option, value in _KEEPING.items():
            ctypes.CDLL(None).mallopt(option, value)


def gpus() -> int:
    """How many there are."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def threads() -> int:
    """Those that an operation has."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or cores()


def cpu_flags() -> set[str]:
    """What the processor has beyond its base, by Linux' names (avx2, avx512f); empty where nothing says so."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                found |= set(line.partition(":")[2].split())
    return found


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))
