"""What tests/fit/test_results.py and tests/fit/test_course.py share."""

from __future__ import annotations

import torch

from napari_spatimeinr import Field


def parts(field: Field) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{k}": v
        for name, module in field.network.parts.items()
        for k, v in module.state_dict().items()
    }


def same(a: Field, b: Field) -> bool:
    p, q = parts(a), parts(b)
    return p.keys() == q.keys() and all(torch.equal(p[k], q[k]) for k in p)
