"""What workers send each other: arrays, over a socket between each two of them.

TensorFlow's own sums, of processes without GPUs, go by gRPC: of few bytes and of many they take three times as long.
"""

import contextlib
import functools
import math
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from nvp_tf.errors import WorkerLost

_PATIENCE = 2.0  # seconds of silence, until those who are silent are asked whether they are there
_SMALL = 1 << 16  # bytes that each worker gets from each other one, and sums up; of more each sums up a part for all
_ALONE = 1 << 20  # bytes of an array that is sent from where it is, and not with others
_AT_ONCE = 64  # buffers of a call of the system
_HEADER = struct.Struct("<qq")  # which exchange it is, and how many bytes follow


class Mesh:
    """One worker's end of what it exchanges with the others.

    Each method is called by all of them, in the same order, with arrays of the same shapes.

    Args:
      index: which worker this is.
      others: sockets to the others, by their number.
      ask: called with the number of one from which nothing comes; raises OSError where it is not there any more.

    Attributes:
      index. count: of how many.
      lost: the WorkerLost that ended an exchange; None so far.
    """

    def __init__(self, index: int, others: Mapping[int, socket.socket], ask: Callable[[int], None]) -> None:
        self.index, self.count = index, len(others) + 1
        self.lost: WorkerLost | None = None
        self._others, self._ask = others, ask
        for other in others.values():
            other.setblocking(False)
            other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sum(self, arrays: Sequence[np.ndarray], number: int = 0) -> list[np.ndarray]:
        """The sums of the workers' arrays, added in the workers' order: the same to the bit in each.

        number: of the exchange, which must be that of the others: where TensorFlow calls this, it decides when.

        Raises:
          WorkerLost: another worker ended, or is silent.
        """
        if self.count == 1:
            return list(arrays)
        packs = _Packs(arrays)
        whole = sum(pack.nbytes for pack in packs.flat) <= _SMALL

        def parts(flat: Iterable[np.ndarray], k: int) -> list[np.ndarray]:
            """Of each what worker k sums up."""
            return [a if whole else a[a.size * k // self.count : a.size * (k + 1) // self.count] for a in flat]

        mine = parts(packs.flat, self.index)
        theirs = {k: [np.empty_like(part) for part in mine] for k in self._others}
        self._exchange(number, {k: parts(packs.flat, k) for k in self._others}, theirs)
        sums = [np.empty_like(pack) for pack in packs.flat]
        summed = parts(sums, self.index)
        for total, *addends in zip(summed, *(theirs.get(k, mine) for k in range(self.count)), strict=True):
            functools.reduce(functools.partial(np.add, out=total), addends)
        if not whole:
            self._exchange(number, dict.fromkeys(self._others, summed), {k: parts(sums, k) for k in self._others})
        return packs.unpacked(sums)

    def from_chief(self, sent: bytes) -> bytes:
        """What worker 0 gave; what the others did is not looked at.

        Raises:
          WorkerLost: as `sum`.
        """
        mine = np.frombuffer(sent if self.index == 0 else b"", np.uint8)
        [[size]] = self.sum([np.array([mine.size])])
        if self.index == 0:
            self._exchange(0, {k: [mine] for k in self._others}, {})
            return sent
        received = np.empty(size, np.uint8)
        self._exchange(0, {}, {0: [received]})
        return received.tobytes()

    def _exchange(
        self, number: int, out: Mapping[int, Sequence[np.ndarray]], into: Mapping[int, Sequence[np.ndarray]]
    ) -> None:
        """Sends and receives at once, from and into flat arrays; `out` and `into` are by worker."""
        lines = {}
        for k in {*out, *into}:
            line = _Line(self._others[k], number, out.get(k), into.get(k))
            lines[self._others[k].fileno()] = k, line
        poll = select.poll()
        try:
            for place, (_, line) in lines.items():
                line.move(select.POLLIN | select.POLLOUT)
                if line.waits_for:
                    poll.register(place, line.waits_for)
            while waiting := [k for k, line in lines.values() if line.waits_for]:
                found = poll.poll(1000 * _PATIENCE)
                for place, event in found:
                    _, line = lines[place]
                    line.move(event)
                    if line.waits_for:
                        poll.modify(place, line.waits_for)
                    else:
                        poll.unregister(place)
                if not found:
                    for k in waiting:
                        self._ask(k)
        except OSError as error:
            self.lost = self.end(str(error))
            raise self.lost from None

    def end(self, why: str) -> WorkerLost:
        """What this worker ends with, when it sees that another one is gone."""
        return WorkerLost(
            f"worker {self.index} stopped, since another one ended or is silent ({why}): "
            "start all of them again, they go on from the last checkpoint"
        )


class _Line:
    """What one exchange sends to another worker and receives from it; None for nothing, not even a header."""

    def __init__(
        self, other: socket.socket, number: int, out: Sequence[np.ndarray] | None, into: Sequence[np.ndarray] | None
    ) -> None:
        self._other = other
        self._header, self._expected = bytearray(_HEADER.size), _header(number, into or ())
        self._sending = _buffers([] if out is None else [_header(number, out), *out])
        self._receiving = _buffers([] if into is None else [self._header, *into])
        self._received = 0

    @property
    def waits_for(self) -> int:
        """As of `select.poll`; 0 where all is done."""
        return (select.POLLOUT if self._sending else 0) | (select.POLLIN if self._receiving else 0)

    def move(self, event: int) -> None:
        """As much as can be without waiting; of a connection that has failed both are tried, and say why.

        Raises:
          OSError: the other end is closed.
          RuntimeError: it is at another exchange.
        """
        with contextlib.suppress(BlockingIOError):
            while event & ~select.POLLIN and self._sending:
                _pass(self._sending, self._other.sendmsg([*self._sending][:_AT_ONCE]))
        with contextlib.suppress(BlockingIOError):
            while event & ~select.POLLOUT and self._receiving:
                count, *_ = self._other.recvmsg_into([*self._receiving][:_AT_ONCE])
                if count == 0:
                    raise ConnectionError("its connection is closed")
                _pass(self._receiving, count)
                self._received += count
                if self._received >= _HEADER.size and self._header != self._expected:
                    found, expected = _HEADER.unpack(self._header), _HEADER.unpack(self._expected)
                    raise RuntimeError(f"another worker is at {found}, expected {expected} (exchange, bytes)")


def _header(number: int, arrays: Sequence[np.ndarray]) -> bytes:
    return _HEADER.pack(number, sum(array.nbytes for array in arrays))


def _buffers(values: Sequence[bytes | bytearray | np.ndarray]) -> deque[memoryview]:
    """Of those that have any bytes."""
    views = (value.view(np.uint8).data if isinstance(value, np.ndarray) else memoryview(value) for value in values)
    return deque(view for view in views if view.nbytes)


def _pass(buffers: deque[memoryview], count: int) -> None:
    """Takes away the first so many bytes."""
    while count:
        size = buffers[0].nbytes
        if count < size:
            buffers[0] = buffers[0][count:]
            return
        buffers.popleft()
        count -= size


class _Packs:
    """Arrays as a few flat ones: a large one as it is, small ones of a dtype one after the other.

    Attributes:
      flat: those few.
    """

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._shapes = [array.shape for array in arrays]
        places: dict[object, list[int]] = {}
        for i, array in enumerate(arrays):
            places.setdefault(i if array.nbytes >= _ALONE else array.dtype, []).append(i)
        self._places = list(places.values())
        self.flat = [_joined([np.ravel(arrays[i]) for i in some]) for some in self._places]

    def unpacked(self, flat: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The arrays, each of its shape, of such flat ones."""
        found: dict[int, np.ndarray] = {}
        for some, values in zip(self._places, flat, strict=True):
            start = 0
            for i in some:
                size = math.prod(self._shapes[i])
                found[i] = values[start : start + size]
                start += size
        return [found[i].reshape(shape) for i, shape in enumerate(self._shapes)]


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
