"""TIFF: OME-TIFF, ImageJ hyperstacks and plain stacks of pages."""
