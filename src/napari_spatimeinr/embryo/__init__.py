"""An embryo: slices, nucleus tracing and run file in; named cells through time out."""
