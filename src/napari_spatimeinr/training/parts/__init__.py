"""The parts of the model, one file each, in the order in which they are learned.

A further part is one file and one line here, or one call of :func:`.stage.register` anywhere.
"""

from ..stage import STAGES, register
from .hypotheses import Hypotheses
from .latents import Latents
from .motion import Motion
from .planes import Planes
from .voxels import Voxels

__all__ = ["STAGES"]

for _stage in (Motion(), Hypotheses(), Latents(), Planes(), Voxels()):
    register(_stage)
