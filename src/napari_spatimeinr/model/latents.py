"""What things look like: encoder and decoder, which are learned together."""

from __future__ import annotations

from torch import nn

from ..config.parts import LatentOptions
from .decoder import Decoder
from .encoder import Encoder


class Latents(nn.Module):
    """An encoder of frames and the decoder of what it says about points between them."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @classmethod
    def of(cls, options: LatentOptions) -> Latents:
        """Untrained ones; the order of random draws is that of the two names."""
        encoder = Encoder(options.channels, options.layers, options.features)
        return cls(encoder, Decoder(options.features, options.width))
