"""Pieces of a computation on several threads: the same values and gradients, whatever the number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fits import MOTION
from napari_spatimeinr import Volume, fit
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.differentiable import Made, apart
from napari_spatimeinr.model.finer import FinerPlanes
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.hypotheses import Hypotheses, context_sigmas
from napari_spatimeinr.model.latents import Latents
from napari_spatimeinr.model.motion import VelocityField
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.training.parts import latents_fit, motion_fit
from napari_spatimeinr.training.parts.lines import Lateral, train_planes


@pytest.fixture(autouse=True)
def usual_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def made_by(
    threads: int, work: Callable[[Tensor], Made], items: Sequence[Tensor], network: nn.Module
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Values and gradients of a loss in which every piece has its own weight."""
    torch.set_num_threads(threads)
    network.zero_grad()
    made = apart(work, items, network.parameters())
    total = sum((n + 1) * part.square().sum() for n, piece in enumerate(made) for part in piece)
    assert isinstance(total, Tensor)
    total.backward()
    return [part.detach() for piece in made for part in piece], [
        p.grad for p in network.parameters()
    ]


@settings(max_examples=20, deadline=None)
@given(pieces=st.integers(1, 5), seed=st.integers(0, 9))
def test_pieces_have_the_bits_of_one_thread_on_several(pieces: int, seed: int) -> None:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3))
    items = torch.randn(pieces, 2, 1, 9, 8)

    def work(item: Tensor) -> tuple[Tensor, ...]:
        return network(item), network(item[:1]).mean(0)

    runs = [made_by(threads, work, items, network) for threads in (1, 2, 3)]
    for other in runs[1:]:
        for a, b in zip(runs[0], other, strict=True):
            assert all(map(torch.equal, a, b))


def test_gradients_are_those_of_the_whole() -> None:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    items = torch.randn(3, 5, 4)
    _, found = made_by(2, lambda item: (network(item),), items, network)
    network.zero_grad()
    losses = [(n + 1) * network(item).square().sum() for n, item in enumerate(items)]
    torch.stack(losses).sum().backward()
    for a, p in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad)


def test_what_learns_nothing_has_no_gradient() -> None:
    network = nn.Linear(2, 2)
    ((learned, given_anyway),) = apart(
        lambda item: (network(item), item * 2), [torch.ones(1, 2)], network.parameters()
    )
    assert learned.requires_grad
    assert not given_anyway.requires_grad


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_piece_is_raised(threads: int) -> None:
    torch.set_num_threads(threads)

    def work(item: int) -> tuple[Tensor, ...]:
        raise ValueError(f"piece {item}")

    with pytest.raises(ValueError, match="piece"):
        apart(work, [1, 2], nn.Linear(1, 1).parameters())


def test_finer_planes_learn_the_same_on_any_number_of_threads() -> None:
    runs = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        network = FinerPlanes(2, 4, 2)
        planes = torch.rand(3, 20, 20)
        steps = train_planes(network, Lateral(planes, planes), 2, [0.7], 4, 1e-3, 7)
        runs.append([loss for _, loss in steps])
    assert runs[0] == pytest.approx(runs[1], rel=1e-6)


def learned(volume: Volume, blended: bool) -> list[float]:
    """Losses of some steps of latents along one field, or two and none."""
    torch.manual_seed(2)
    shape = volume.shape[1:]
    fields = []
    for _ in range(2 if blended else 1):
        field = VelocityField(torch.arange(float(volume.shape[0])), shape, (3, 4, 4))
        field.nodes.data.normal_()
        fields.append(field.requires_grad_(False))
    more = Hypotheses(fields[1:], 4, context_sigmas((1.0, 1.0, 1.0))) if blended else None
    config = make_config("fast", {"latents": {"crop": [5, 8, 8]}})
    network = Network(fields[0], Latents.of(config.latents), hypotheses=more)
    normalisation = Normalisation(0.0, 300.0, (1.0,) * volume.shape[0])
    frames = Frames(volume.data, normalisation, torch.device("cpu"))
    numbers = list(range(volume.shape[0]))
    return [loss for _, loss in latents_fit.train(network, frames, numbers, config, 4, 3)]


@pytest.mark.parametrize("blended", [False, True])
def test_latents_learn_the_same_whether_contexts_are_kept_or_made_each_time(
    recording: Volume, blended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = learned(recording, blended)
    monkeypatch.setattr(latents_fit, "MOST_KEPT", 0)
    assert np.allclose(kept, learned(recording, blended), rtol=1e-4)


def test_fields_are_the_same_whether_fitted_at_once_or_in_turns(
    recording: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = {**MOTION["motion"], "smoothness": [0.02, 0.2], "gradual": True}
    config = {**MOTION, "motion": several, "threads": 2}
    found = []
    for most in (0, 9):
        monkeypatch.setattr(motion_fit, "MOST_APART", most)
        field = fit(recording, config=config, device="cpu")
        nodes = [one.nodes for one in field.network.fields if one is not None]
        found.append((nodes, field.provenance.steps))
    (one, steps), (other, as_many) = found
    assert len(one) == 3
    assert all(map(torch.equal, one, other))
    assert steps == as_many
