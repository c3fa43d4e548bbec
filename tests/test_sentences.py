"""What a fit came to, in words."""

from __future__ import annotations

import numpy as np

from napari_spatimeinr import Volume, fit
from napari_spatimeinr.analysis.sentences import result_sentence


def test_a_constant_recording_says_one_thing() -> None:
    for shape in ((4, 3, 8, 8), (1, 3, 8, 8)):
        field = fit(Volume(np.full(shape, 7, np.uint8)), "fast", device="cpu")
        said = result_sentence(field.provenance, False)
        assert (
            said == "All intensities are equal; there is nothing to fit and the result is constant."
        )
