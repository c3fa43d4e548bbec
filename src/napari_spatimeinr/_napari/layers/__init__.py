"""Layers of napari: understood, placed, drawn and compared."""
