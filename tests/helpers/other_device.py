"""A device that is not the CPU, pretended: tensors that say they are elsewhere and hold their
numbers here.

As on a real one, tensors of the device and of the CPU cannot be computed with together, and as on
Apple's there is no float64. Torch calls the place "meta", the one device besides the CPU that is
part of every build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

DEVICE = torch.device("meta")
aten = torch.ops.aten
COPIES = (aten._to_copy.default,)
MIXED = (aten.copy_.default, aten.index.Tensor, aten.index_put_.default, aten.index_put.default)
"""What takes tensors of the CPU beside those of a device."""


class There(torch.Tensor):
    """A tensor of the pretended device; ``here`` holds its numbers."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> There:
        if here.dtype == torch.float64:
            raise TypeError("Cannot convert a tensor to float64: the device does not support it.")
        new = torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )
        new.here = here.detach()
        return new

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {}, {})

    def __repr__(self) -> str:
        return f"There({self.here!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl


def _computed(
    func: Any, args: Any, kwargs: dict[str, Any], faults: dict[str, Callable[..., Any]]
) -> Any:
    flat = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    away = any(isinstance(value, There) for value in flat)
    if any(value.device == DEVICE and not isinstance(value, There) for value in flat):
        raise AssertionError(f"The numbers of a tensor got lost before {func}.")
    if (
        away
        and func not in MIXED
        and any(not isinstance(value, There) and value.ndim for value in flat)
    ):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {func} got some of the CPU."
        )
    wanted = kwargs.get("device")
    target = away if wanted is None else torch.device(wanted) == DEVICE
    if func is aten.copy_.default:
        target = isinstance(args[0], There)
    if not target and not (away and func in (*COPIES, *MIXED)) and away:
        target = func is not aten._local_scalar_dense.default
    if not (away or target):
        return func(*args, **kwargs)
    here = tree_map_only(There, lambda value: value.here, (args, kwargs))
    options = {**here[1], **({"device": torch.device("cpu")} if wanted is not None else {})}
    name = func.overloadpacket.__name__
    result = faults.get(name, func)(*here[0], **options) if away else func(*here[0], **options)
    known = {id(value.here): value for value in flat if isinstance(value, There)}

    def out(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not target:
            return value
        return known.get(id(value)) if id(value) in known else There(value)

    return tree_map(out, result)


class _FromNumbers(TorchFunctionMode):
    """Numbers of Python become tensors of the pretended device by way of the CPU: torch keeps none
    for "meta".
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.new_tensor and isinstance(args[0], There):
            return args[0].here.new_tensor(*args[1:], **kwargs).to(DEVICE)
        if func is torch.Tensor.tolist and isinstance(args[0], There):
            return args[0].here.tolist()
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return torch.tensor(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args = (
                args[0],
                tree_map_only(
                    list, torch.tensor, args[1], is_leaf=lambda value: isinstance(value, list)
                ),
                *args[2:],
            )
        return func(*args, **kwargs)


class OtherDevice(TorchDispatchMode):
    """While entered there is the pretended device.

    Parameters
    ----------
    faults : what it computes instead of an operation, by the operation's name ("grid_sampler_3d").
    """

    def __init__(self, faults: dict[str, Callable[..., Any]] | None = None) -> None:
        super().__init__()
        self.faults = faults or {}
        self.done = 0
        self.from_numbers = _FromNumbers()

    def __enter__(self) -> OtherDevice:
        self.from_numbers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.from_numbers.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        flat = tree_flatten((args, kwargs))[0]
        self.done += any(isinstance(value, There) for value in flat)
        return _computed(func, args, kwargs or {}, self.faults)
