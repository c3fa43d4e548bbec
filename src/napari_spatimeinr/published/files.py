"""The two files of the published command, ``current.pth`` and ``latent_code.pt``, and back to a
Field.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..compute.device import resolve_precision
from ..config import former
from ..config.options import Config
from ..errors import FormatError, InputError
from ..field import Field
from ..header import normalisation_of
from ..io.atomic import replacing
from ..model.trusted import warned_device
from ..volume import Volume
from .method import PREFIX, PublishedMethod

WEIGHTS, LATENTS = "current.pth", "latent_code.pt"
OF_LATENTS = (f"{PREFIX}features", f"{PREFIX}heads")
FORMAT = 1


def save(field: Field, folder: Path) -> None:
    """Write the weights and what latents are made of, each atomically; the recording itself is not
    in them.

    Raises
    ------
    SaveError
        If the folder cannot be written to.
    """
    assert isinstance(field.method, PublishedMethod)
    state = {PREFIX + name: tensor for name, tensor in field.method.state().items()}
    facts = {
        "provenance": field.provenance.to_dict(),
        "normalisation": asdict(field.normalisation),
        "config": field.config.model_dump(mode="json"),
    }
    rest = {"format": FORMAT, "facts": json.dumps(facts, default=str)}
    # The latents first: weights that name a step are there only with theirs.
    with replacing(folder / LATENTS) as temporary:
        torch.save({name: state.pop(name) for name in OF_LATENTS}, temporary)
    with replacing(folder / WEIGHTS) as temporary:
        torch.save({**rest, "weights": state}, temporary)


def there(folder: Path) -> bool:
    """Whether a folder holds both files."""
    return (folder / WEIGHTS).is_file() and (folder / LATENTS).is_file()


def load(folder: Path, volume: Volume, sha256: str, device: str) -> Field:
    """What :func:`save` wrote, on the recording it was fitted to; nothing but tensors and text is
    unpickled.

    Raises
    ------
    FormatError
        If a file is missing, damaged or of a newer format.
    InputError
        If it was fitted to another recording.
    """
    where = warned_device(device)
    try:
        current = torch.load(folder / WEIGHTS, "cpu", weights_only=True)
        latents = torch.load(folder / LATENTS, "cpu", weights_only=True)
        if current["format"] != FORMAT:
            raise FormatError(
                f"{folder / WEIGHTS} is of another version; train again in an empty folder."
            )
        facts: dict[str, Any] = former.header(json.loads(current["facts"]))
        config = Config.model_validate(facts["config"])
        weights = {name: tensor.numpy() for name, tensor in (current["weights"] | latents).items()}
        if facts["provenance"]["input"]["sha256"] != sha256:
            raise InputError(
                f"{folder} holds a model of another recording; give that one, or train in another"
                " folder."
            )
        normalisation = normalisation_of(facts, volume.shape[0])
        precision = resolve_precision(config.precision, where, PublishedMethod.convolved)
        method = PublishedMethod.build({}, weights, volume.shape[1:], config, where, precision)
        return Field(volume, method, normalisation, config, where, "linear", facts["provenance"])
    except FileNotFoundError as error:
        raise FormatError(
            f"{folder} holds no {WEIGHTS} and {LATENTS}; make them with 'spatimeinr train'."
        ) from error
    except (FormatError, InputError):
        raise
    except (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        EOFError,
        OSError,
        pickle.UnpicklingError,
    ) as error:
        raise FormatError(f"The model in {folder} is damaged; train it again.") from error
