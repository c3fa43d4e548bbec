"""One noisy stack in the window: it is denoised, and the dock says how that was judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import phantom

from .conftest import Wait, fitted


@pytest.mark.slow
def test_a_stack_is_denoised_in_the_window(viewer: Any, dock: Any, click: Any, wait: Wait) -> None:
    volume = phantom((1, 12, 32, 32), kind="nuclei", photons=30, seed=3)[0]
    stack = np.asarray(volume.data)[0]
    viewer.add_image(stack, name="stack", scale=volume.spacing[1:], units=("um",) * 3)
    dock.method_panel.form.editors["latents", "steps"].value = 60
    session = fitted(dock, click, wait)
    assert session.field.network.latents is not None
    assert "Noise is removed from each frame by itself" in dock.progress_panel.message.text()
    assert np.asarray(session.field.lazy()).std() < stack.std()
    assert session.field.lazy(scale_z=2).shape == (1, 24, 32, 32)
