"""What a NIfTI header states about time and space."""

from __future__ import annotations

import math
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ...data.grid import Floats
from ...data.orders import from_nifti_affine
from ...data.plain import plain
from ...errors import GridError
from ..calibration import Stated
from ..options import ReadOptions

SPACE_CODES = {1: "m", 2: "mm", 3: "um"}
TIME_CODES = {8: "s", 16: "ms", 24: "us"}


def short(value: Any) -> float:
    """The shortest decimal that is the same 32-bit number: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))


def stated_by(header: Any, axes: str, how: ReadOptions) -> tuple[Stated, list[list[float]] | None]:
    """What the header states, and its affine (x, y, z) as lists; None where it has none.

    The sform comes first, then the qform, then pixdim.

    Parameters
    ----------
    header : of nibabel, NIfTI-1, NIfTI-2 or Analyze.
    axes : letters of the axes in reversed order; position and orientation are kept for T, Z, Y, X
        only.
    how : a spacing given by the user excuses a useless affine.

    Raises
    ------
    GridError
        If the affine is not invertible and no spacing is given.
    """
    out = Stated()
    nifti = isinstance(header, nib.Nifti1Header)
    single = not isinstance(header, nib.Nifti2Header)
    number = short if single else float
    pixdim = [number(v) for v in header["pixdim"]]
    code = int(header["xyzt_units"]) if nifti else 0
    out.units = [TIME_CODES.get(code & 0x38), SPACE_CODES.get(code & 0x07)]
    usual = axes in ("ZYX", "TZYX", "CTZYX")
    # pixdim[1] belongs to the fastest axis, the last letter.
    by_letter = {letter: pixdim[i + 1] for i, letter in enumerate(reversed(axes))}
    space: list[float | None] = [by_letter.get(letter) for letter in "ZYX"]
    affine: list[list[float]] | None = None
    if nifti and usual:
        with np.errstate(all="ignore"):  # damaged numbers overflow on the way to being refused
            matrix = _affine(header)
            if matrix is not None:
                affine = [[v if math.isfinite(v) else None for v in row] for row in matrix.tolist()]  # type: ignore[misc]
                space = _place(matrix, space, how, number, out)
    told = any(v != 1.0 for v in space if v is not None) or out.units[1] is not None
    if told:
        out.spacing[1:], out.sources["voxel"] = space, "NIfTI header"
    dt = by_letter.get("T", pixdim[4] if usual and out.units[0] else None)
    # Three-dimensional files rarely mean their fourth spacing, so 0 there is no question.
    if dt is not None and (out.units[0] is not None or dt != 1.0) and ("T" in axes or dt > 0):
        out.spacing[0], out.sources["dt"] = dt, "NIfTI header"
    if nifti and math.isfinite(float(header["toffset"])):
        out.origin[0] = number(header["toffset"])
    return out, affine


def _affine(header: Any) -> Floats | None:
    """sform, else qform, else None; a qform that is no rotation counts as missing."""
    if int(header["sform_code"]) > 0:
        return np.asarray(header.get_sform(), dtype=np.float64)
    if int(header["qform_code"]) > 0:
        try:
            return np.asarray(header.get_qform(), dtype=np.float64)
        except (ValueError, HeaderDataError):
            return None
    return None


def _place(
    matrix: Floats, pixdim: list[float | None], how: ReadOptions, number: Any, out: Stated
) -> list[float | None]:
    try:
        spacing, origin, orientation = from_nifti_affine(matrix)
    except GridError:
        if how.spacing is None or None in how.spacing[1:]:
            raise
        out.warnings.append(
            "The affine of the file is not invertible and was ignored: is the orientation needed?"
        )
        return pixdim
    out.orientation = orientation
    if orientation is None:
        out.origin[1:] = [number(o) for o in origin]
    else:
        out.origin[1:] = list(origin)
    out_of_matrix = [number(s) if orientation is None else s for s in spacing]
    # Rounding in a rotated 32-bit matrix is undone where pixdim says the same.
    return [
        p if p is not None and math.isfinite(p) and abs(p - s) <= 2e-6 * s else exact
        for p, s, exact in zip(pixdim, spacing, out_of_matrix, strict=True)
    ]


def plain_fields(header: Any) -> dict[str, Any]:
    """The header fields as JSON values; what is not finite becomes None."""
    values = {key: header[key].tolist() for key in header.keys()}  # noqa: SIM118
    return {key: _text(v) if isinstance(v, bytes) else plain(v) for key, v in values.items()}


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("latin-1")
