"""Makers of odd, damaged and hostile files; each returns the path to open."""

from __future__ import annotations

import gzip
import json
import os
import re
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import tifffile

DATA = np.random.default_rng(0).integers(0, 200, (3, 4, 5, 6)).astype("u2")
VOXELS = 352
"""Where the voxels of a NIfTI-1 file begin."""


def nifti(
    path: Path,
    data: Any = DATA,
    tail: bytes | None = None,
    kind: Any = nib.Nifti1Header,
    **fields: Any,
) -> Path:
    """A NIfTI file (packed for .gz) with some header fields changed, whatever they say about the
    voxels, or other voxels.
    """
    header = kind()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape[::-1])
    header["vox_offset"] = 544 if kind is nib.Nifti2Header else VOXELS
    header["magic"] = header["magic"] if kind is nib.Nifti2Header else b"n+1"
    header["pixdim"][1:5], header["xyzt_units"] = (0.25, 0.25, 0.5, 2), 3 | 8
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + bytes(4) + (data.tobytes() if tail is None else tail)
    path.write_bytes(gzip.compress(content, 1) if path.suffix.lower() == ".gz" else content)
    return path


def dims(*sizes: int) -> list[int]:
    """The ``dim`` field of a NIfTI header."""
    return [*sizes, *[1] * (8 - len(sizes))]


def quaternion(path: Path) -> Path:
    """A qform of 0.25 um and a sform of 1 um, with another origin."""
    header = nib.Nifti1Header()
    header.set_data_dtype("u2")
    header.set_data_shape(DATA.shape[::-1])
    header.set_qform(np.diag([0.25, 0.25, 0.25, 1]), 1)
    header.set_sform(np.array([[1.0, 0, 0, 7], [0, 1, 0, 8], [0, 0, 1, 9], [0, 0, 0, 1]]), 1)
    return nifti(
        path,
        **{name: header[name] for name in header if name[:2] in ("qf", "sf", "qu", "qo", "sr")},
    )


def cut(path: Path, length: int) -> Path:
    """A file without its end; a negative length counts from there."""
    path.write_bytes(path.read_bytes()[:length])
    return path


def more(path: Path, rubbish: bytes) -> Path:
    """A file with something behind its end."""
    path.write_bytes(path.read_bytes() + rubbish)
    return path


def put(path: Path, content: bytes | str) -> Path:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def beside(path: Path, name: str, content: bytes | str | None) -> Path:
    """A file with another one beside it; a pipe for no content."""
    place = path.with_name(name)
    os.mkfifo(place) if content is None else put(place, content)
    return path


def link(path: Path, target: str | Path) -> Path:
    """A symbolic link."""
    path.symlink_to(target)
    return path


def pipe(path: Path) -> Path:
    """A named pipe nobody writes to."""
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    """An empty folder."""
    path.mkdir(parents=True)
    return path


def tiff(path: Path, data: Any = DATA, **how: Any) -> Path:
    """What tifffile writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, data, **{"photometric": "minisblack", **how})
    return path


def described(path: Path, text: str, pages: int = 12) -> Path:
    """Plain pages, the first of them with this description."""
    with tifffile.TiffWriter(path) as file:
        for k in range(pages):
            how: dict[str, Any] = {"description": text.encode("utf-8")} if k == 0 else {}
            file.write(
                DATA[k // 4 % 3, k % 4],
                metadata=None,
                photometric="minisblack",
                software=False,
                **how,
            )
    return path


def imagej(path: Path, *lines: str) -> Path:
    """An ImageJ stack with these lines in its description."""
    return described(path, "\n".join(["ImageJ=1.54f", *lines, ""]))


def ome(path: Path, *changes: tuple[str, str], head: str = "", pages: int = 12) -> Path:
    """An OME-TIFF of three frames with four planes, whose XML is changed by regular expressions."""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        + head
        + '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"'
        ' Name="a"><Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" SizeX="6" SizeY="5"'
        ' SizeZ="4" SizeC="1" SizeT="3" PhysicalSizeX="0.25" PhysicalSizeY="0.25"'
        ' PhysicalSizeZ="0.5" TimeIncrement="2"><Channel ID="Channel:0:0"'
        ' SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="12"/></Pixels></Image></OME>'
    )
    for old, new in changes:
        xml, count = re.subn(old, new, xml, flags=re.DOTALL)
        assert count, old
    return described(path, xml, pages)


def ome_set(path: Path, with_sibling: bool) -> Path:
    """The first of two files that together are an OME-TIFF."""
    parts = "".join(
        f'<TiffData FirstT="{t}" FirstZ="{z}" IFD="{z + 4 * (t % 2)}" PlaneCount="1">'
        f'<UUID FileName="{"one" if t < 2 else "two"}.ome.tif">urn:uuid:{t // 2}</UUID></TiffData>'
        for t in range(3)
        for z in range(4)
    )
    ome(
        path.with_name("one.ome.tif"),
        ("<TiffData.*?/>", parts),
        ("<OME ", '<OME UUID="urn:uuid:0" '),
        pages=8,
    )
    if with_sibling:
        tiff(path.with_name("two.ome.tif"), DATA[2], metadata=None, ome=False)
    return path.with_name("one.ome.tif")


def tag(path: Path, code: int, value: int) -> Path:
    """A TIFF with the value of one tag overwritten on all pages that store it."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            found = page.tags[code]
            struct.pack_into(
                file.byteorder + {3: "H", 4: "I"}[found.dtype], content, found.valueoffset, value
            )
    path.write_bytes(content)
    return path


def frames(path: Path, *names: str) -> Path:
    """A folder with a TIFF of one frame under each name."""
    for name in names:
        tiff(path / name, DATA[0])
    return path


def store(path: Path, *changes: tuple[str, Any]) -> Path:
    """An OME-Zarr 0.4 without compression, with values of its JSON files changed:
    ("0/.zarray:shape", [1, 2]).
    """
    documents: dict[str, Any] = {
        ".zgroup": {"zarr_format": 2},
        ".zattrs": {
            "multiscales": [
                {
                    "version": "0.4",
                    "axes": [{"name": n, "type": "time" if n == "t" else "space"} for n in "tzyx"],
                    "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 0.5, 0.25, 0.25]}]}],
                }
            ]
        },
        "0/.zarray": {
            "zarr_format": 2, "shape": list(DATA.shape), "chunks": [1, 4, 5, 6], "dtype": "<u2", "compressor": None,
            "fill_value": 0, "filters": None, "order": "C", "dimension_separator": ".",
        },
    }  # fmt: skip
    for place, value in changes:
        name, *keys = re.split("[:]", place)
        node = documents[name]
        for key in keys[:-1]:
            node = node[int(key) if key.isdecimal() else key]
        node[keys[-1]] = value
    for name, document in documents.items():
        put(path / name, json.dumps(document))
    for t in range(3):
        put(path / "0" / f"{t}.0.0.0", DATA[t].tobytes())
    return path
