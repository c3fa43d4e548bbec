"""NIfTI: one file, or one for each time point."""
