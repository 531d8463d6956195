"""What a file is by its first bytes, where its name does not say."""

import gzip
import os
import re
import struct
import zlib
from pathlib import Path

_BEGINNINGS = {b"\x93NUMPY": ".npy", b"PAR1": ".parquet"}
_PEEKED = 512  # bytes
_ZIP_NAME = re.compile(rb"PK\x03\x04.{22}(..)..(.*)", re.DOTALL)  # the length of the first member's name; the name
_CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, its bits reversed


def suffix(file: str | Path) -> str | None:
    """The suffix that a file of this content has: .npy, .npz, .parquet or .tfrecord; None for any other, or none."""
    if not os.path.isfile(file):  # a folder, a broken link, a pipe, which would wait for its writer
        return None
    try:
        with open(file, "rb") as stream:
            begins = stream.read(_PEEKED)
    except OSError:  # what reads it says so
        return None
    if compression(file) is not None:
        return ".tfrecord"
    if member := _ZIP_NAME.match(begins):  # many kinds of file are archives
        return ".npz" if member[2][: int.from_bytes(member[1], "little")].endswith(b".npy") else None
    return next((kind for beginning, kind in _BEGINNINGS.items() if begins.startswith(beginning)), None)


def compression(file: str | Path) -> str | None:
    """How a file of TFRecords is compressed, as TensorFlow calls it: "", "GZIP" or "ZLIB"; None for another file.

    Raises:
      OSError: it cannot be read.
    """
    with open(file, "rb") as stream:
        begins = stream.read(_PEEKED)
    if _is_record(begins):
        return ""
    try:
        if begins.startswith(b"\x1f\x8b"):
            with gzip.open(file) as stream:
                return "GZIP" if _is_record(stream.read(12)) else None
        return "ZLIB" if _is_record(zlib.decompressobj().decompress(begins, 12)) else None
    except (OSError, EOFError, zlib.error):
        return None


def _is_record(begins: bytes) -> bool:
    """Whether bytes begin a TFRecord file: a length of eight bytes, and its masked CRC-32C."""
    if len(begins) < 12:
        return False
    crc = 0xFFFFFFFF
    for byte in begins[:8]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked == struct.unpack("<I", begins[8:12])[0]
