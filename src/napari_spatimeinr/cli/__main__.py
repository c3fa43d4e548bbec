"""``python -m napari_spatimeinr.cli``."""

from . import main

if __name__ == "__main__":
    main()
