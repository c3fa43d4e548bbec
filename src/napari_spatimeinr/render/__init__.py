"""From a fitted model to voxels of any grid."""
