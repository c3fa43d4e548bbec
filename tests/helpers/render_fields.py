"""What the tests in tests/render share besides fixtures."""

from __future__ import annotations

from napari_spatimeinr import Field

SPACING, ORIGIN = (30.0, 1.0, 0.4, 0.5), (100.0, -3.0, 7.0, 0.25)


SHAPE = (4, 9, 17, 20)


def fresh(field: Field) -> Field:
    """The same model with empty caches."""
    return Field(
        field.volume,
        field.network,
        field.normalisation,
        field.config,
        field.device,
        field.interpolation,
        field.provenance,
    )
