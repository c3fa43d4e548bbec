"""Small valid recordings of every format, for ``fuzz.py`` to damage."""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import tifffile
import zarr

READERS = ("nifti", "tiff", "folder", "zarr")


@dataclass
class Sample:
    """A recording as files.

    Parameters
    ----------
    opened : the name that is opened; a folder when ``files`` hold names below it.
    files : name -> content.
    fields : name -> (offset, ``struct`` format) of what is stored in the header of that file.
    packed : the file is a gzip stream, and ``files`` hold what is in it.
    """

    opened: str
    files: dict[str, bytes]
    fields: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    packed: bool = False

    def put(self, folder: Path) -> Path:
        """Write the files; the path to open."""
        (folder / self.opened).mkdir() if all(
            name.startswith(self.opened + "/") for name in self.files
        ) else None
        for name, content in self.files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(gzip.compress(content, 1) if self.packed else content)
        return folder / self.opened


def samples(reader: str, folder: Path) -> list[Sample]:
    """The valid recordings of a format, made in an empty folder."""
    make: dict[str, Callable[[Path], Iterator[Sample]]] = {
        "nifti": _nifti,
        "tiff": _tiff,
        "folder": _folders,
        "zarr": _zarr,
    }
    return list(make[reader](folder))


def _data(*shape: int, dtype: str = "u2") -> Any:
    return np.random.default_rng(0).integers(0, 200, shape or (3, 4, 5, 6)).astype(dtype)


def _ours(folder: Path, *names: str) -> Iterator[Sample]:
    """What this package writes, with what it leaves inside and beside its files."""
    from napari_spatimeinr import Volume
    from napari_spatimeinr.io import write

    for name in names:
        times = (1.0, 3.5, 7.0) if name.endswith(".nii") else None  # other formats cannot hold them
        made = {"config": {"steps": [1, 2]}, "seconds": 1.5}
        (folder / "ours").mkdir()
        write(
            Volume(_data(), (2.5, 0.5, 0.2, 0.2), metadata={"spatimeinr": made}, times=times),
            folder / "ours" / name,
        )
        files = {
            f"ours/{file.name}": file.read_bytes() for file in sorted((folder / "ours").iterdir())
        }
        yield Sample("ours" if "{" in name else f"ours/{name}", files)
        shutil.rmtree(folder / "ours")


def _nifti(folder: Path) -> Iterator[Sample]:
    yield from _ours(folder, "a.nii")
    images: list[tuple[str, Any]] = []
    for kind, dtype in (
        (nib.Nifti1Image, "u2"),
        (nib.Nifti1Image, "f4"),
        (nib.Nifti2Image, "i2"),
        (nib.Nifti1Image, "f8"),
    ):
        image = kind(_data(dtype=dtype).T, np.diag([0.2, 0.2, 0.5, 1]))
        image.header["pixdim"][4], image.header["xyzt_units"] = 2.5, 3 | 8
        images += [("a.nii", image), ("a.nii.gz", image)]
    scaled = nib.Nifti1Image(_data().T, np.eye(4))
    scaled.header.set_slope_inter(0.5, 3)
    images += [("a.nii", scaled), ("a.nii", nib.Nifti1Image(_data(2, 3, 4, 5, 6).T, np.eye(4)))]
    big = nib.Nifti1Image(_data().T, np.eye(4), nib.Nifti1Header(endianness=">"))
    images += [
        ("a.nii", big),
        ("a.hdr", nib.Nifti1Pair(_data().T, np.eye(4))),
        ("a.img", nib.AnalyzeImage(_data(dtype="i2").T, None)),
    ]
    for name, image in images:
        nib.save(image, folder / name)
        packed = name.endswith(".gz")
        names = ["a.hdr", "a.img"] if name in ("a.hdr", "a.img") else [name]
        files = {
            n: gzip.decompress((folder / n).read_bytes()) if packed else (folder / n).read_bytes()
            for n in names
        }
        order = image.header.endianness
        formats = {
            "i": {1: "b", 2: "h", 4: "i", 8: "q"},
            "u": {1: "B"},
            "f": {4: "f", 8: "d"},
            "S": {},
        }
        fields = []
        for dtype, offset in image.header.template_dtype.fields.values():
            base, repeat = (dtype.base, int(np.prod(dtype.shape, dtype=int)))
            code = formats[base.kind].get(base.itemsize)
            fields += [(offset + k * base.itemsize, order + code) for k in range(repeat) if code]
        yield Sample(name, files, {names[0]: fields}, packed)
        if packed:  # damage to the stream itself
            yield Sample(name, {name: (folder / name).read_bytes()})


def _tiffs(folder: Path) -> Iterator[tuple[str, bytes]]:
    grey: dict[str, Any] = {"photometric": "minisblack"}
    rough = {"axes": "TZYX", "spacing": 0.5, "unit": "um", "finterval": 2.5}
    ome = {
        "axes": "TZYX",
        "PhysicalSizeX": 0.125,
        "PhysicalSizeZ": 0.5,
        "TimeIncrement": 2.5,
        "Plane": {"DeltaT": [2.5 * (k // 4) for k in range(12)]},
    }
    ways: list[tuple[str, dict[str, Any]]] = [
        ("a.tif", {"imagej": True, "metadata": rough, "resolution": (8, 8)}),
        ("a.tif", {"imagej": True, "metadata": rough, "byteorder": "<"}),
        ("a.ome.tif", {"metadata": ome}),
        ("a.ome.tif", {"metadata": ome, "compression": "zlib"}),
        ("a.ome.tif", {"metadata": ome, "bigtiff": True, "compression": "lzw"}),
        ("a.ome.tif", {"metadata": ome, "tile": (16, 16)}),
        ("a.tif", {"metadata": {"axes": "TZYX"}}),
        ("a.tif", {"metadata": {"axes": "TZYX"}, "bigtiff": True, "byteorder": ">"}),
        ("a.tif", {"metadata": None}),
        ("a.tif", {"metadata": None, "compression": "zstd", "predictor": True}),
        ("a.tif", {"metadata": None, "compression": "packbits", "rowsperstrip": 2}),
        ("a.tif", {"metadata": None, "compression": "zlib", "tile": (16, 16), "bigtiff": True}),
    ]  # fmt: skip
    for name, how in ways:
        tifffile.imwrite(folder / name, _data(), **grey, **how)
        yield name, (folder / name).read_bytes()
    tifffile.imwrite(folder / "a.ome.tif", _data(3, 2, 4, 5, 6), metadata={"axes": "TCZYX"}, **grey)
    yield "a.ome.tif", (folder / "a.ome.tif").read_bytes()
    tifffile.imwrite(
        folder / "a.tif",
        _data(4, 5, 6, dtype="u1"),
        metadata=None,
        compression="jpeg",
        tile=(16, 16),
        **grey,
    )
    yield "a.tif", (folder / "a.tif").read_bytes()


def _tag_fields(path: Path) -> list[tuple[int, str]]:
    """Code, type, count and value of all tags of a TIFF, the numbers of tags, and the links between
    pages.
    """
    out = []
    with tifffile.TiffFile(path) as file:
        order = file.byteorder
        wide, few, link = ("Q", "Q", 8) if file.is_bigtiff else ("I", "H", 4)
        out.append((link, order + wide))
        for page in file.pages:
            out.append((page.offset, order + few))
            for tag in page.tags:
                at, size = tag.offset, struct.calcsize(wide)
                out += [
                    (at, order + "H"),
                    (at + 2, order + "H"),
                    (at + 4, order + wide),
                    (at + 4 + size, order + wide),
                ]
                if tag.count > 1 and tag.dtype in (3, 4, 16):
                    code = {3: "H", 4: "I", 16: "Q"}[tag.dtype]
                    out += [
                        (tag.valueoffset + k * struct.calcsize(code), order + code)
                        for k in range(tag.count)
                    ]
    return out


def _tiff(folder: Path) -> Iterator[Sample]:
    yield from _ours(folder, "a.ome.tif", "a.tif")
    for name, content in _tiffs(folder):
        yield Sample(name, {name: content}, {name: _tag_fields(folder / name)})


def _folders(folder: Path) -> Iterator[Sample]:
    yield from _ours(folder, "e_{t:03}.nii", "{t}.nii.gz")
    ways: tuple[dict[str, Any], ...] = (
        {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 0.5, "unit": "um"}},
        {"metadata": None},
        {"metadata": {"axes": "ZYX", "PhysicalSizeX": 0.125}, "ome": True, "compression": "zlib"},
    )
    for how in ways:
        path = folder / "frame.tif"
        tifffile.imwrite(path, _data(4, 5, 6), photometric="minisblack", **how)
        names = [f"run/img_t{k:03d}_ch01.tif" for k in range(4)]
        yield Sample(
            "run",
            {name: path.read_bytes() for name in names},
            {name: _tag_fields(path) for name in names},
        )


def _zarr(folder: Path) -> Iterator[Sample]:
    from napari_spatimeinr import Volume
    from napari_spatimeinr.io.zarr import write as zarr_write

    def sample() -> Sample:
        names = sorted(file for file in (folder / "a.zarr").rglob("*") if file.is_file())
        return Sample(
            "a.zarr", {str(file.relative_to(folder)): file.read_bytes() for file in names}
        )

    for version, number in (("0.4", 2), ("0.5", 3)):
        turned = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
        volume = Volume(
            _data(),
            (2.5, 0.5, 0.2, 0.2),
            (1, 2, 3, 4),
            orientation=turned,
            metadata={"channel": "GFP"},
        )
        zarr_write.write(volume, folder / "a.zarr", version=version)
        yield sample()
        for compressor in (None, "auto"):
            shutil.rmtree(folder / "a.zarr")
            group = zarr.create_group(store=str(folder / "a.zarr"), zarr_format=number)
            more: dict[str, Any] = {"shards": (1, 1, 4, 6, 6)} if number == 3 and compressor else {}
            array = group.create_array(
                "s0",
                shape=(2, 2, 4, 6, 6),
                dtype=">i2" if compressor else "f4",
                chunks=(1, 1, 2, 3, 6),
                compressors=compressor,
                **more,
            )
            array[...] = _data(2, 2, 4, 6, 6)
            axes = [
                {
                    "name": n,
                    "type": {"t": "time", "c": "channel"}.get(n, "space"),
                    "unit": "micrometer",
                }
                for n in "tczyx"
            ]
            steps = [{"type": "scale", "scale": [1, 1, 0.5, 0.25, 0.25]}]
            image = {
                "version": version,
                "name": "a",
                "axes": axes,
                "datasets": [{"path": "s0", "coordinateTransformations": steps}],
            }
            channels = {"channels": [{"label": "GFP"}, {"label": "RFP"}]}
            meta = {"multiscales": [image], "omero": channels}
            group.attrs.update(meta if number == 2 else {"ome": {"version": version, **meta}})
            yield sample()
        shutil.rmtree(folder / "a.zarr")
