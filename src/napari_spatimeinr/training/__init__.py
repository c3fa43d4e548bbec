"""Fitting the parts of a model to one recording."""
