"""A folder with one file for each time point, or for each plane of each."""
