"""The parts of a model, how each is fitted: one file each."""
