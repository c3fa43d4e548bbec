"""Keys of a layer's metadata that the parts of the plugin share."""

SOURCE = "spatimeinr_source"
"""What the file says that the layer was read from (see ``Volume.metadata``)."""
MODEL = "spatimeinr_model"
"""Path of the model file the layer was read from."""
RENDERED = "spatimeinr"
"""Provenance of what was rendered; such layers are not fitted."""
