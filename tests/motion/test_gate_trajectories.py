"""Motion: the gate chooses, blocks and masks cover frames, trajectories are those of the velocity."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spatimeinr.model.motion import VelocityField, node_counts
from napari_spatimeinr.training import gate
from napari_spatimeinr.training.parts.motion_points import block_mask

pytestmark = pytest.mark.usefixtures("one_thread")


def test_gate_parts():
    assert gate.split(2) is None
    for count in range(3, 30):
        parts = gate.split(count)
        assert parts.held
        assert sorted(parts.held + parts.given) == list(range(count))
        assert 0 in parts.given
        assert count - 1 in parts.given
        assert all(k - 1 in parts.given and k + 1 in parts.given for k in parts.held)


def errors_of(**values) -> gate.Errors:
    """Errors of methods at 8 places of which the first moves."""
    errors = gate.Errors()
    moving = torch.zeros(2, 2, 2, dtype=torch.bool)
    moving[0, 0, 0] = True
    for name, (front, rest) in values.items():
        errors.add(name, torch.where(moving, front, torch.as_tensor(rest)), moving)
    return errors


def test_the_gate_keeps_the_simpler_of_equals():
    equal = {"linear": (1.0, 1.0), "cubic": (1.0, 1.0)}
    names = ["motion", "latents"]
    assert (
        gate.choose(errors_of(**equal, motion=(1.0, 1.0), latents=(0.995, 0.995)), names)
        == "linear"
    )
    assert (
        gate.choose(errors_of(**equal, motion=(0.9, 0.9), latents=(0.895, 0.895)), names)
        == "motion"
    )


def test_the_gate_refuses_what_harms_the_moving_foreground():
    errors = errors_of(linear=(1.0, 2.0), cubic=(1.5, 3.0), motion=(1.2, 1.0))
    assert errors.gain("motion") > 3
    assert errors.gain("motion", where="moving") < 0
    assert gate.choose(errors, ["motion"]) == "linear"


def test_the_gate_refuses_what_harms_structure_under_the_noise():
    noise = torch.tensor([1.0, -1.0]).repeat(4).reshape(2, 2, 2)
    errors = errors_of(linear=(1.0, noise), cubic=(2.0, 2 * noise), latents=(0.5, 0.5))
    assert errors.gain("latents") > 3
    assert errors.gain("latents", where="smoothed") < 0
    assert gate.choose(errors, ["latents"]) == "linear"


def test_what_has_won_may_be_improved_on_even_where_both_are_below_interpolation_smoothed():
    errors = gate.Errors()
    for name, whole, smoothed in (
        ("linear", 4.0, 1.0),
        ("motion", 3.0, 1.5),
        ("latents", 2.0, 1.4),
    ):
        errors.sums[name] = {"whole": whole, "moving": whole, "smoothed": smoothed}
    assert gate.choose(errors, ["latents"]) == "linear"
    assert gate.choose(errors, ["latents"], best="motion") == "latents"


def test_blocks_of_the_gate_cover_a_small_frame_once():
    seen = np.zeros((20, 50, 40), int)
    for (a, b), (c, d), (e, f) in gate.blocks((20, 50, 40), 0):
        seen[a:b, c:d, e:f] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 3), (16, 64, 64)])
def test_block_mask_hides_some_and_not_all(shape):
    mask = block_mask(shape, 0)
    assert mask.shape == (1, 1, *shape)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    if shape == (16, 64, 64):
        assert 0.05 < mask.mean() < 0.45


def test_trajectories_of_a_steady_rotation_come_back():
    shape = (5, 33, 33)
    field = VelocityField(torch.arange(3.0), shape, node_counts(shape, (1, 1, 1), 4.0))
    with torch.no_grad():
        y = torch.linspace(-16, 16, field.nodes.shape[3])[:, None].expand(field.nodes.shape[3:])
        x = torch.linspace(-16, 16, field.nodes.shape[4])[None, :].expand(field.nodes.shape[3:])
        field.nodes[:, 1], field.nodes[:, 2] = -0.2 * x, 0.2 * y
    start = torch.tensor([[[2.0, 16.0, 22.0], [2.0, 10.0, 16.0]]])
    end = field.trajectory(start, torch.tensor([0.0]), torch.tensor([2.0])).detach()
    angle = 0.4
    for a, b in zip(start[0] - 16, end[0] - 16, strict=True):
        expected = (
            a[1] * np.cos(angle) - a[2] * np.sin(angle),
            a[2] * np.cos(angle) + a[1] * np.sin(angle),
        )
        assert torch.allclose(b[1:], torch.stack(expected), atol=0.02)
    back = field.trajectory(end, torch.tensor([2.0]), torch.tensor([0.0])).detach()
    assert torch.allclose(back, start, atol=0.02)
    # Interpolated displacement nodes are the same trajectories.
    nodes = field.displacement_nodes(0.0, 2.0)
    at = field.displacement(nodes, tuple(torch.tensor([float(v)]) for v in start[0, 0]))[
        0, :, 0, 0, 0
    ]
    assert torch.allclose(start[0, 0] + at, end[0, 0], atol=0.05)
    # Only the nodes that some planes need give the same there.
    for low, high in ((0.0, 0.0), (1.3, 1.3), (0.5, 2.0), (float(field.shape[0] - 1),) * 2):
        some = field.displacement_nodes(0.0, 2.0, (low, high))
        assert some.nodes.shape[2] <= nodes.nodes.shape[2]
        positions = tuple(
            torch.linspace(a, b, 5) for a, b in ((low, high), (3.0, 20.0), (5.0, 30.0))
        )
        assert torch.allclose(
            field.displacement(some, positions), field.displacement(nodes, positions), atol=1e-4
        )


def test_displacement_nodes_of_flat_recordings():
    for shape in ((1, 1, 1), (1, 9, 1), (3, 1, 7)):
        field = VelocityField(torch.arange(2.0), shape, node_counts(shape, (1, 1, 1), 4.0))
        assert field.displacement_nodes(0.0, 0.5).nodes.isfinite().all()


def test_straight_paths_change_velocity_at_the_frames_only():
    shape = (1, 41, 41)
    field = VelocityField(
        torch.tensor([0.0, 1.0, 3.0]), shape, node_counts(shape, (1, 1, 1), 4.0), curved=False
    )
    with torch.no_grad():
        field.nodes[0, 1], field.nodes[1, 2] = 4.0, 2.0
    start = torch.tensor([[[0.0, 10.0, 10.0]]])
    for t0, t1, expected in (
        (0.0, 0.25, (11.0, 10.0)),
        (0.5, 1.0, (12.0, 10.0)),
        (1.0, 0.5, (8.0, 10.0)),
        (1.0, 1.5, (10.0, 11.0)),
        (2.5, 1.0, (10.0, 7.0)),
        (0.0, 3.0, (14.0, 14.0)),
        (3.0, 0.0, (6.0, 6.0)),
    ):
        end = field.trajectory(start, torch.tensor([t0]), torch.tensor([t1])).detach()
        assert end[0, 0].tolist() == pytest.approx([0.0, *expected], abs=1e-4), (t0, t1)
