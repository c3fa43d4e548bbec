"""``python -m napari_spatimeinr.cli``."""

from . import main

main()
