"""Odd and hostile files in one table: each is refused in a sentence with the right words, or read
as what it is.
"""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

import odd_files as odd
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import FormatError, GridError, InputError, SpatimeINRError
from napari_spatimeinr.io import describe, read
from odd_files import DATA, cut, dims, imagej, link, more, nifti, ome, ome_set, put, store, tiff
from odd_rows import bad, fine
from refusal import refused

LAUGHS = (
    "<!DOCTYPE l [<!ENTITY a 'ha'>"
    + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "]>"
)
OUTSIDE = "<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>"
NAME = (r"<Pixels", "<Description>&{};</Description><Pixels")
MICRO, SECONDS = ("s", "um"), (2, 0.5, 0.25, 0.25)
TWO = np.stack([DATA[0]] * 2)

NIFTI = [
    fine("as it should be", lambda d: nifti(d / "a.nii"), spacing=SECONDS, units=MICRO),
    fine("upper case", lambda d: nifti(d / "A.NII"), spacing=SECONDS),
    fine("upper case, packed", lambda d: nifti(d / "A.NII.GZ"), spacing=SECONDS),
    fine("blanks and letters of all kinds", lambda d: nifti(d / "größe µm 細胞 🔬 .nii")),
    fine("as long a name as there is", lambda d: nifti(d / ("x" * 251 + ".nii"))),
    bad("too long a name", lambda d: d / ("x" * 300 + ".nii"), FormatError, "too long"),
    bad("cut in the header", lambda d: cut(nifti(d / "a.nii"), 340), FormatError, "not a NIfTI"),
    bad("cut behind the header", lambda d: cut(nifti(d / "a.nii"), 352), FormatError, "and 0 are there"),
    bad("cut by one byte", lambda d: cut(nifti(d / "a.nii"), -1), FormatError, "(720 bytes) and 719 are there"),
    fine("rubbish behind it", lambda d: more(nifti(d / "a.nii"), b"rubbish")),
    bad("not packed", lambda d: put(d / "a.nii.gz", nifti(d / "b.nii").read_bytes()), FormatError, "not a complete gzip"),
    bad("packed twice", lambda d: put(d / "a.nii.gz", gzip.compress(nifti(d / "b.nii.gz").read_bytes())), FormatError, "not a NIfTI"),
    bad("packed, named as if not", lambda d: put(d / "a.nii", nifti(d / "b.nii.gz").read_bytes()), FormatError, "not a NIfTI"),
    bad("packed by another program", lambda d: put(d / "a.nii.gz", bz2.compress(bytes(400))), FormatError, "not a complete gzip"),
    fine("zeros behind the stream", lambda d: more(nifti(d / "a.nii.gz"), bytes(500))),
    bad("rubbish behind the stream", lambda d: more(nifti(d / "a.nii.gz"), b"rubbish"), FormatError, "gzip"),
    fine("packed in two parts", lambda d: put(d / "a.nii.gz", b"".join(map(gzip.compress, (lambda c: (c[:400], c[400:]))(nifti(d / "b.nii").read_bytes()))))),
    bad("cut in the stream", lambda d: cut(nifti(d / "a.nii.gz"), -9), FormatError, "breaks off"),
    fine("more in the stream than promised", lambda d: nifti(d / "a.nii.gz", tail=DATA.tobytes() + bytes(60_000_000))),
    bad("no dimensions by sign", lambda d: nifti(d / "a.nii", dim=dims(-1)), FormatError, "-1 axes"),
    bad("eight dimensions", lambda d: nifti(d / "a.nii", dim=dims(8, 6, 5, 4, 3)), FormatError, "8 axes"),
    fine("seven dimensions", lambda d: nifti(d / "a.nii", dim=dims(7, 6, 5, 4, 3))),
    fine("six dimensions, two of them channels", lambda d: nifti(d / "a.nii", dim=dims(6, 6, 5, 2, 3, 1, 2)), data=DATA.reshape(2, 3, 2, 5, 6)[1], how={"channel": 1}),
    bad("five dimensions", lambda d: nifti(d / "a.nii", dim=dims(5, 6, 5, 4, 1, 3)), InputError, "no channel 3", channel=3),
    bad("one dimension", lambda d: nifti(d / "a.nii", dim=dims(1, 6)), InputError, "1 axes"),
    bad("sizes beyond 64 bits", lambda d: nifti(d / "a.nii", kind=nib.Nifti2Header, dim=dims(4, 2**62, 2**62, 4, 4)), FormatError, "truncated"),
    bad("a negative size beyond 32 bits", lambda d: nifti(d / "a.nii", kind=nib.Nifti2Header, dim=dims(4, -(2**40), 1, 4, 4)), FormatError, "impossible sizes"),
    fine("voxels inside the header", lambda d: nifti(d / "a.nii", vox_offset=100)),
    bad("voxels beyond the file", lambda d: nifti(d / "a.nii", vox_offset=1e6), FormatError, "truncated"),
    bad("voxels beyond the stream", lambda d: nifti(d / "a.nii.gz", vox_offset=1e6), FormatError, "truncated"),
    fine("half a byte further", lambda d: nifti(d / "a.nii", vox_offset=352.5)),
    fine("an infinite slope", lambda d: nifti(d / "a.nii", scl_slope=np.inf)),
    bad("no type", lambda d: nifti(d / "a.nii", datatype=0), FormatError, "unknown data type"),
    bad("single bits", lambda d: nifti(d / "a.nii", datatype=1), InputError, "binary values"),
    bad("numbers of 16 bytes", lambda d: nifti(d / "a.nii", datatype=1536, dim=dims(3, 3, 5, 3)), InputError, "float128 values"),
    fine("two places", lambda d: odd.quaternion(d / "a.nii"), "1 um on every axis", spacing=(2, 1, 1, 1)),
    fine("units nobody knows", lambda d: nifti(d / "a.nii", xyzt_units=0xFF), spacing=SECONDS),
    fine("no units", lambda d: nifti(d / "a.nii", xyzt_units=0), spacing=SECONDS, units=("frame", "voxel")),
    bad("a negative z step", lambda d: nifti(d / "a.nii", pixdim=[1, 1, 1, -2, 1, 0, 0, 0]), GridError, "--spacing"),
    fine("an interval of 0", lambda d: nifti(d / "a.nii", pixdim=[1, 0.25, 0.25, 0.5, 0, 0, 0, 0]), "interval of 0", spacing=(1, 0.5, 0.25, 0.25)),
    fine("the smallest voxel", lambda d: nifti(d / "a.nii", pixdim=[1, 1e-45, 1e-45, 1e-45, 2, 0, 0, 0])),
    fine("a time that is not", lambda d: nifti(d / "a.nii", toffset=np.inf)),
    bad("a wrong length of the header", lambda d: nifti(d / "a.nii", sizeof_hdr=347), FormatError, "not a NIfTI"),
    bad("a version to come", lambda d: nifti(d / "a.nii", magic=b"n+3"), FormatError, "not a NIfTI"),
    bad("a pair with a folder", lambda d: (odd.folder(d / "a.img"), put(d / "a.hdr", nifti(d / "b.nii").read_bytes()))[1], FormatError, "missing beside"),
    bad("a pair with a pipe", lambda d: odd.beside(put(d / "a.hdr", nifti(d / "b.nii").read_bytes()), "a.img", None), FormatError, "missing beside"),
    bad("a pair without voxels", lambda d: odd.beside(put(d / "a.hdr", nifti(d / "b.nii", vox_offset=0, magic=b"ni1").read_bytes()), "a.img", ""), FormatError, "and 0 are there"),
    fine("times nested too deeply", lambda d: odd.beside(nifti(d / "a.nii"), "a.json", "[" * 100_000), spacing=SECONDS),
    fine("times that go back", lambda d: odd.beside(nifti(d / "a.nii"), "a.json", '{"times": [0, 2, 1]}'), "not 3 increasing"),
    fine("times beyond all numbers", lambda d: odd.beside(nifti(d / "a.nii"), "a.json", '{"times": [0, 1, 1' + "0" * 400 + "]}"), "not 3 increasing"),
    fine("times from a pipe", lambda d: odd.beside(nifti(d / "a.nii"), "a.json", None), spacing=SECONDS),
]  # fmt: skip

TIFF = [
    fine("as it should be", lambda d: ome(d / "a.ome.tif"), spacing=SECONDS, units=MICRO),
    fine("upper case", lambda d: ome(d / "A.OME.TIFF"), spacing=SECONDS),
    fine("named as no OME", lambda d: ome(d / "a b µ.tif"), spacing=SECONDS),
    fine("rubbish behind it", lambda d: more(ome(d / "a.ome.tif"), b"rubbish")),
    bad("a NIfTI by another name", lambda d: put(d / "a.tif", nifti(d / "a.nii").read_bytes()), FormatError, "not a TIFF"),
    bad("packed", lambda d: put(d / "a.tif", gzip.compress(ome(d / "b.tif").read_bytes())), FormatError, "not a TIFF"),
    bad("no page", lambda d: put(d / "a.tif", b"II*\0\0\0\0\0" + bytes(100)), FormatError, "no pages"),
    bad("a large one cut in its head", lambda d: cut(tiff(d / "a.tif", bigtiff=True), 12), FormatError, "chain of pages"),
    bad("numbers of rubbish", lambda d: imagej(d / "a.tif", "images=12", "slices=four", "frames=3"), SpatimeINRError, "."),
    bad("fewer than none", lambda d: imagej(d / "a.tif", "images=-12", "slices=-4", "frames=3"), SpatimeINRError, "."),
    bad("more promised than there", lambda d: imagej(d / "a.tif", "images=400", "slices=4", "frames=100"), FormatError, "truncated"),
    bad("no slices", lambda d: imagej(d / "a.tif", "images=12", "slices=0", "frames=3"), SpatimeINRError, "."),
    bad("a step that is none", lambda d: imagej(d / "a.tif", "images=12", "slices=4", "frames=3", "unit=um", "spacing=NaN"), GridError, "--spacing"),
    bad("an endless interval", lambda d: imagej(d / "a.tif", "images=12", "slices=4", "frames=3", "finterval=inf"), GridError, "along t"),
    fine("an interval in words", lambda d: imagej(d / "a.tif", "images=12", "slices=4", "frames=3", "finterval=long")),
    fine("a step downwards", lambda d: imagej(d / "a.tif", "images=12", "slices=4", "frames=3", "unit=\\u00B5m", "spacing=-2"), spacing=(1, 2, 1, 1)),
    bad("no XML", lambda d: odd.described(d / "a.ome.tif", "<OME this is not XML"), FormatError, "OME-XML"),
    bad("a billion laughs", lambda d: ome(d / "a.ome.tif", (NAME[0], NAME[1].format("j")), head=LAUGHS), FormatError, "OME-XML"),
    bad("another file inside", lambda d: ome(d / "a.ome.tif", (NAME[0], NAME[1].format("a")), head=OUTSIDE), FormatError, "OME-XML"),
    bad("no image", lambda d: ome(d / "a.ome.tif", ("<Image.*Image>", "")), FormatError, "OME-XML"),
    bad("no pixels", lambda d: ome(d / "a.ome.tif", ("<Pixels.*Pixels>", "")), FormatError, "OME-XML"),
    bad("wider than it is", lambda d: ome(d / "a.ome.tif", ('SizeX="6"', 'SizeX="60"')), FormatError, "."),
    bad("sizes that are words", lambda d: ome(d / "a.ome.tif", ('SizeT="3"', 'SizeT="three"')), FormatError, "."),
    bad("fewer than no frames", lambda d: ome(d / "a.ome.tif", ('SizeT="3"', 'SizeT="-3"')), FormatError, "."),
    bad("pages that are not there", lambda d: ome(d / "a.ome.tif", ('IFD="0"', 'IFD="7"')), FormatError, "lacks planes"),
    bad("axes of another world", lambda d: ome(d / "a.ome.tif", ("XYZTC", "XYQWE")), FormatError, "."),
    fine("a type of another world", lambda d: ome(d / "a.ome.tif", ('"uint16"', '"quaternion"')), spacing=SECONDS),
    fine("a unit of another world", lambda d: ome(d / "a.ome.tif", ('TimeIncrement="2"', 'TimeIncrement="2" PhysicalSizeXUnit="parsec"')), spacing=SECONDS, units=("s", "voxel")),
    bad("an interval that is none", lambda d: ome(d / "a.ome.tif", ('ment="2"', 'ment="NaN"')), GridError, "along t"),
    fine("times with gaps", lambda d: ome(d / "a.ome.tif", ("</Pixels>", "".join(f'<Plane TheT="{t}" TheZ="0" TheC="0" DeltaT="{s}"/>' for t, s in enumerate((0, 2, 9))) + "</Pixels>")), "which is right", spacing=(4.5, 0.5, 0.25, 0.25)),
    fine("planes nowhere", lambda d: ome(d / "a.ome.tif", ("</Pixels>", '<Plane TheT="-9" TheZ="77" TheC="0" DeltaT="1e999"/></Pixels>')), spacing=SECONDS),
    fine("nothing but nesting in the description", lambda d: ome(d / "a.ome.tif", ("<Pixels", '<Description>{"spatimeinr": ' + "[" * 50_000 + "</Description><Pixels")), spacing=SECONDS),
    bad("a sibling that is missing", lambda d: ome_set(d / "one.ome.tif", False), FormatError, "part of a set"),
    bad("a sibling that is a pipe", lambda d: odd.beside(ome_set(d / "one.ome.tif", False), "two.ome.tif", None), FormatError, "which is no file"),
    fine("a set of two", lambda d: ome_set(d / "one.ome.tif", True), spacing=SECONDS),
    fine("the second of a set", lambda d: ome_set(d / "one.ome.tif", True).with_name("two.ome.tif"), "does not name its axes", data=DATA[2:]),
    bad("an unknown compression", lambda d: odd.tag(tiff(d / "a.tif", metadata=None, compression="zlib"), 259, 9999), FormatError, "compressed in a way"),
    bad("no bits", lambda d: odd.tag(tiff(d / "a.tif", metadata=None), 258, 0), SpatimeINRError, "."),
    fine("no rows in a strip", lambda d: odd.tag(tiff(d / "a.tif", metadata=None), 278, 0), "does not name its axes", data=DATA.reshape(1, 12, 5, 6)),
    bad("strips beyond the end", lambda d: odd.tag(tiff(d / "a.tif", DATA[0], metadata=None), 273, 2**32 - 2), FormatError, "truncated"),
    bad("a smaller picture first", lambda d: (lambda f: (f.write(DATA[0, 0, ::2, ::2]), [f.write(p) for p in DATA[0]], f.close(), d / "a.tif")[-1])(tifffile.TiffWriter(d / "a.tif")), InputError, "different sizes"),
    fine("half numbers", lambda d: tiff(d / "a.tif", DATA.astype("f2"), metadata={"axes": "TZYX"})),
    fine("single bits", lambda d: tiff(d / "a.tif", DATA > 99, metadata={"axes": "TZYX"}), data=DATA > 99),
]  # fmt: skip

PLACES = [
    bad("nothing at all", lambda d: put(d / "a.tif", b""), FormatError, "empty"),
    bad("a link to itself", lambda d: link(d / "a.nii", "a.nii"), FormatError, "does not exist"),
    bad("a link to nothing", lambda d: link(d / "a.tif", "b.tif"), FormatError, "does not exist"),
    fine("a link to a link", lambda d: link(d / "c.nii", link(d / "b.nii", nifti(d / "a.nii")))),
    bad("a pipe", lambda d: odd.pipe(d / "a.tif"), FormatError, "empty"),
    bad("a packed pipe", lambda d: odd.pipe(d / "a.nii.gz"), FormatError, "empty"),
    bad("a device", lambda d: link(d / "a.nii", "/dev/zero"), FormatError, "empty"),
    bad("a device of nothing", lambda d: link(d / "a.tif", "/dev/null"), FormatError, "empty"),
    bad("a file as a folder", lambda d: put(d / "a", b"x") / "b.nii", FormatError, "."),
    bad("a folder named as a TIFF", lambda d: odd.folder(d / "a.tif"), FormatError, "empty folder"),
    bad("a folder named as a packed NIfTI", lambda d: odd.folder(d / "a.nii.gz"), FormatError, "empty folder"),
    bad("no ending", lambda d: put(d / "a", nifti(d / "b.nii").read_bytes()), FormatError, "unknown kind"),
    bad("an ending alone", lambda d: put(d / ".nii", nifti(d / "b.nii").read_bytes()), SpatimeINRError, "."),
    fine("a folder of frames", lambda d: odd.frames(d / "größe 細胞", "t 1.tif", "t 2.TIF"), data=TWO),
    bad("a pipe among frames", lambda d: (odd.frames(d / "a", "t1.tif", "t3.tif"), odd.pipe(d / "a" / "t2.tif"), d / "a")[-1], InputError, "lacks number 2"),
    bad("a link to nothing among frames", lambda d: (odd.frames(d / "a", "t1.tif", "t3.tif"), link(d / "a" / "t2.tif", "none"), d / "a")[-1], InputError, "lacks number 2"),
    bad("a folder among frames", lambda d: (odd.frames(d / "a", "t1.tif", "t3.tif"), odd.folder(d / "a" / "t2.tif"), d / "a")[-1], InputError, "lacks number 2"),
    bad("a cut frame", lambda d: (odd.frames(d / "a", "t1.tif", "t2.tif"), cut(d / "a" / "t2.tif", -200), d / "a")[-1], FormatError, "t2.tif"),
    bad("a NIfTI among frames", lambda d: (odd.frames(d / "a", "t1.tif"), nifti(d / "a" / "t2.tif"), d / "a")[-1], FormatError, "t2.tif is not a TIFF"),
    fine("a folder in itself", lambda d: (odd.frames(d / "a", "t1.tif", "t2.tif"), link(d / "a" / "t3", ".."), d / "a")[-1], data=TWO),
]  # fmt: skip

ZARR = [
    fine("as it should be", lambda d: store(d / "a.zarr"), spacing=SECONDS),
    bad("metadata nested too deeply", lambda d: (store(d / "a.zarr"), put(d / "a.zarr" / ".zattrs", "[" * 100_000), d / "a.zarr")[-1], FormatError, "."),
    bad("metadata that are no text", lambda d: (store(d / "a.zarr"), put(d / "a.zarr" / ".zattrs", b"\xff\xfe{}"), d / "a.zarr")[-1], FormatError, "."),
    bad("an image that is the group", lambda d: store(d / "a.zarr", (".zattrs:multiscales:0:datasets:0:path", ".")), FormatError, "."),
    bad("a chunk size of 0", lambda d: store(d / "a.zarr", ("0/.zarray:chunks", [0, 4, 5, 6])), FormatError, "."),
    bad("chunks of three axes", lambda d: store(d / "a.zarr", ("0/.zarray:chunks", [4, 5, 6])), FormatError, "."),
    bad("sizes of halves", lambda d: store(d / "a.zarr", ("0/.zarray:shape", [1.5, 4, 5, 6])), FormatError, "."),
    bad("fewer than no frames", lambda d: store(d / "a.zarr", ("0/.zarray:shape", [-3, 4, 5, 6])), FormatError, "."),
    bad("objects in place of numbers", lambda d: store(d / "a.zarr", ("0/.zarray:dtype", "|O")), SpatimeINRError, "."),
    bad("text in place of numbers", lambda d: store(d / "a.zarr", ("0/.zarray:dtype", "<U9")), SpatimeINRError, "."),
    bad("an unknown codec", lambda d: store(d / "a.zarr", ("0/.zarray:compressor", {"id": "magic"})), FormatError, "."),
    bad("two axes of time", lambda d: store(d / "a.zarr", (".zattrs:multiscales:0:axes:1:name", "t")), InputError, "."),
    bad("three axes for four", lambda d: store(d / "a.zarr", (".zattrs:multiscales:0:axes", ["z", "y", "x"])), FormatError, "do not fit"),
    fine("all chunks gone", lambda d: (store(d / "a.zarr"), [f.unlink() for f in (d / "a.zarr" / "0").glob("?.0*")], d / "a.zarr")[-1], "3 of 3 chunks", data=DATA * 0),
    bad("images in a circle", lambda d: (put(d / "a.zarr" / ".zgroup", '{"zarr_format": 2}'), put(d / "a.zarr" / ".zattrs", '{"bioformats2raw.layout": 3}'), link(d / "a.zarr" / "0", "."), d / "a.zarr")[-1], FormatError, "."),
    bad("an array that is a circle", lambda d: (put(d / "a.zarr" / ".zattrs", store(d / "b.zarr").joinpath(".zattrs").read_bytes()), put(d / "a.zarr" / ".zgroup", '{"zarr_format": 2}'), link(d / "a.zarr" / "0", "0"), d / "a.zarr")[-1], FormatError, "."),
    bad("a link to nothing", lambda d: link(d / "a.zarr", "b.zarr"), FormatError, "does not exist"),
]  # fmt: skip

TABLES = {"nifti": NIFTI, "tiff": TIFF, "place": PLACES, "zarr": ZARR}
ROWS = {f"{table}: {row.name}": row for table, rows in TABLES.items() for row in rows}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ROWS)
def test_refused_or_right(tmp_path: Path, name: str) -> None:
    """Every row: the sentence, or the voxels, the calibration and the questions."""
    row = ROWS[name]
    path = row.make(tmp_path)
    if row.kind is not None:
        assert row.words in refused(row.kind, path, **row.how)
        return
    volume = read(path, **row.how)
    assert np.array_equal(volume.data[:], DATA if row.data is None else row.data)
    assert row.spacing is None or volume.spacing == pytest.approx(row.spacing)
    assert row.units is None or volume.units == row.units
    questions = volume.metadata["warnings"]
    assert len(questions) == bool(row.words), questions
    assert row.words in "".join(questions)
    assert describe(path)["shape"] == list(volume.shape)


@pytest.mark.parametrize("name", [
    "nifti: cut by one byte", "nifti: packed twice", "nifti: eight dimensions", "nifti: single bits", "nifti: no type",
    "tiff: more promised than there", "tiff: a billion laughs", "tiff: a sibling that is missing", "tiff: an interval that is none",
    "place: a link to itself", "place: a device of nothing", "place: a folder among frames", "place: no ending",
    "zarr: metadata nested too deeply", "zarr: a link to nothing",
])  # fmt: skip
def test_command_line_says_one_line(tmp_path: Path, name: str) -> None:
    """``spatimeinr info`` of the same files."""
    (tmp_path / "a\nb").mkdir()  # a line break in the name does not make a second line
    path = ROWS[name].make(tmp_path / "a\nb")
    done = CliRunner().invoke(
        app, ["info", str(path)], prog_name="spatimeinr", catch_exceptions=False
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("spatimeinr: ")
    assert ROWS[name].words in done.stderr
    assert "Traceback" not in done.stderr
    assert "nexpected" not in done.stderr
