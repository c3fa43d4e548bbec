"""Ways to damage the files of a recording, for ``fuzz.py``."""

from __future__ import annotations

import json
import random
import re
import struct
from typing import Any

from fuzz_samples import Sample

INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    -(2**63),
)
REALS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-45,
    1e30,
    -1e30,
    float("nan"),
    float("inf"),
    float("-inf"),
    352.0,
    351.5,
)
WORDS = (
    "", "0", "-1", "1e999", "-1e999", "NaN", "inf", "0x10", "1_000", "٣", "9" * 30, "1e-320", "true", "null", "T", "XYZCT",
    "🔬", "\0", "&a;", "<", "]]>", "{", "µm", "um", "parsec", "../..", "/dev/zero", ".", "uint16", "float128", "<M8[s]",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 2**31, 2**63, 2**70, 1e308, float("nan"), float("inf"), 0.5, "", "0", "..", "/", "t", "x",
    "µ", "NaN", "<u2", "|O", "<f16", [], [0], [1, 1, 1, 1], [-1] * 4, [2**40] * 4, [10**6] * 4, {}, {"id": "gzip"}, [[]], [None],
)  # fmt: skip


def damaged(corpus: list[Sample], rng: random.Random) -> Sample:
    """One of the samples with one to four things wrong."""
    sample = rng.choice(corpus)
    out = Sample(sample.opened, dict(sample.files), sample.fields, sample.packed)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        names = sorted(out.files)
        if len(names) > 1 and rng.random() < 0.15:
            _move(out, names, rng)
            continue
        described = [name for name in names if name in out.fields or out.files[name][:1] == b"{"]
        name = rng.choice(described if described and rng.random() < 0.8 else names)
        other = rng.choice(corpus)
        out.files[name] = _bytes(
            out.files[name],
            out.fields.get(name, []),
            other.files[rng.choice(sorted(other.files))],
            rng,
        )
    return out


def _move(sample: Sample, names: list[str], rng: random.Random) -> None:
    """A file is lost, renamed, doubled or in the place of another."""
    name, other = rng.choice(names), rng.choice(names)
    way = rng.randrange(4)
    if way == 0 and len(names) > 1:
        del sample.files[name]
    elif way == 1:
        stem, number, tail = re.fullmatch(r"(.*?)(\d*)(\D*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        new = stem + rng.choice(("", "7", "٣", "²", "9" * 40, "-1", number + number)) + tail
        if not any(
            n != name and (n == new or n.startswith(new + "/")) for n in names
        ) and not new.endswith("/"):
            sample.files[new] = sample.files.pop(name)
    elif way == 2:
        sample.files[name] = sample.files[other]
    else:
        sample.files[name], sample.files[other] = sample.files[other], sample.files[name]


def _bytes(
    content: bytes, fields: list[tuple[int, str]], other: bytes, rng: random.Random
) -> bytes:
    if content[:1] == b"{" and rng.random() < 0.8:
        return _json(content, rng)
    out, size = bytearray(content), max(len(content), 1)
    at = rng.randrange(min(size, 600) if rng.random() < 0.6 else size)
    length = min(rng.choice((1, 2, 4, 8, 12, 64, 352, 4096)), size)
    way = rng.choice(
        ("field",) * (6 if fields else 0)
        + ("flip", "set", "cut", "double", "drop", "splice", "word", "word", "swap")
    )
    if way == "field":
        for offset, code in rng.sample(fields, min(len(fields), rng.choice((1, 1, 2, 3)))):
            _set_field(out, offset, code, rng)
    elif way == "flip":
        for _ in range(rng.randint(1, 8)):
            if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            at = rng.randrange(size)
    elif way == "set":
        out[at : at + length] = rng.choice((b"\0", b"\xff", b"\x80", b"\x7f", b" ")) * length
    elif way == "cut":
        del out[rng.randrange(size) if rng.random() < 0.5 else at :]
    elif way == "double":
        out[at:at] = out[at : at + length] * rng.randint(1, 3)
    elif way == "drop":
        del out[at : at + length]
    elif way == "splice":
        out[at:] = other[rng.randrange(len(other) + 1) if rng.random() < 0.5 else at :]
    elif way == "word":
        return _word(bytes(out), rng)
    else:
        there = rng.randrange(size)
        one, two = out[at : at + length], out[there : there + length]
        out[there : there + length], out[at : at + length] = one, two
    return bytes(out)


def _set_field(out: bytearray, offset: int, code: str, rng: random.Random) -> None:
    width = struct.calcsize(code)
    if offset + width > len(out):
        return
    if code[-1] in "fd":
        struct.pack_into(code, out, offset, rng.choice(REALS))
        return
    (old,) = struct.unpack_from(code, out, offset)
    new = rng.choice(
        (
            *INTEGERS,
            old + 1,
            old - 1,
            old * 2,
            old // 2,
            len(out),
            len(out) - 1,
            len(out) + 1,
            rng.getrandbits(width * 8),
        )
    )
    out[offset : offset + width] = (new % 2 ** (8 * width)).to_bytes(
        width, "little" if code[0] == "<" else "big"
    )


def _word(content: bytes, rng: random.Random) -> bytes:
    """Text of a header, a number or a name in it exchanged; as long as before, most of the time."""
    found = list(re.finditer(rb"[A-Za-z0-9_.+-]{2,}|(?<==)[0-9]|<[^<>\0]{3,}>", content))
    if not found:
        return content
    for match in rng.sample(found, min(len(found), rng.choice((1, 1, 2, 5)))):
        word = rng.choice(WORDS).encode() if rng.random() < 0.8 else rng.choice(found)[0]
        if rng.random() < 0.8:
            length = match.end() - match.start()
            content = (
                content[: match.start()] + word[:length].ljust(length) + content[match.end() :]
            )
        else:
            return content[: match.start()] + word + content[match.end() :]
    return content


def _json(content: bytes, rng: random.Random) -> bytes:
    """A value of a JSON document exchanged, left out, doubled, renamed or nested deeply."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content[: rng.randrange(len(content))]
    if not isinstance(tree, dict):
        return json.dumps({"zarr_format": 2}).encode()
    places: list[tuple[Any, Any]] = []
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        places += [(node, key) for key in keys]
        todo += [node[key] for key in keys if isinstance(node[key], dict | list)]
    for node, key in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        try:
            old = node[key]
        except (KeyError, IndexError):
            continue  # went with another one
        way = rng.randrange(8)
        if way == 0:
            del node[key]
        elif way == 1 and isinstance(node, list):
            node.append(old)
        elif way == 1:
            node[str(key).upper()] = node.pop(key)
        elif way == 2:
            node[key] = [old]
        elif way == 3 and isinstance(old, int | float):
            node[key] = rng.choice(
                (-old, old + 1, old * 10**6, old / 3 if old < 1e300 else 0, str(old))
            )
        elif way == 4 and rng.random() < 0.02:
            return (
                json.dumps(tree).replace(json.dumps(old), "[" * 20_000 + "]" * 20_000, 1).encode()
            )
        else:
            node[key] = rng.choice(VALUES)
    return json.dumps(tree, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
