"""Where to compute, in which precision, and how much memory there is."""

from __future__ import annotations

import functools
import sys
import time
from typing import Literal

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ..errors import DeviceError


def resolve_device(name: str = "auto") -> torch.device:
    """A torch device from "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises
    ------
    DeviceError
        If there is no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(
            f"There is no device {name!r}; choose auto, cpu, cuda, cuda:N or mps."
        ) from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) < count:
            return device
        raise DeviceError(
            f"The device {name!r} is not there (this machine has {count} CUDA devices); use"
            " --device cpu."
        )
    if device.type == "mps":
        if torch.backends.mps.is_available():
            return device
        raise DeviceError("The device 'mps' is not there; use --device cpu.")
    raise DeviceError(
        f"The device {name!r} is not supported; choose auto, cpu, cuda, cuda:N or mps."
    )


Convolved = Literal["planes", "volumes"]
"""What networks convolve: one precision may be fast for one, and slow for the other."""
_SIZES: dict[Convolved, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "planes": ((16, 16, 48, 48), (16, 16, 3, 3)),
    "volumes": ((1, 16, 20, 48, 48), (16, 16, 3, 3, 3)),
}


def resolve_precision(choice: str, device: torch.device, convolved: Convolved) -> torch.dtype:
    """bfloat16 where it is measurably faster for what a network convolves, else float32."""
    if choice != "auto":
        return torch.bfloat16 if choice == "bfloat16" else torch.float32
    return torch.bfloat16 if _bfloat16_is_fast(str(device), convolved) else torch.float32


@functools.cache
def _bfloat16_is_fast(device: str, convolved: Convolved) -> bool:
    """Time one convolution in both precisions, once per process."""
    given, kernel = _SIZES[convolved]
    last = torch.channels_last if convolved == "planes" else torch.contiguous_format
    seconds = {}
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            try:
                x = torch.ones(given, dtype=dtype, device=device).contiguous(memory_format=last)
                weight = torch.ones(kernel, dtype=dtype, device=device)
                weight = weight.contiguous(memory_format=last)
                run = F.conv2d if convolved == "planes" else F.conv3d
                best = float("inf")
                for _ in range(4):
                    began = time.perf_counter()
                    float(run(x, weight)[(0,) * x.ndim])
                    best = min(best, time.perf_counter() - began)
            except RuntimeError:
                best = float("inf")
            seconds[dtype] = best
    return seconds[torch.bfloat16] * 1.2 < seconds[torch.float32]


def takes_much(device: torch.device) -> bool:
    """Whether a device wants millions of points at once, since each call to it costs the same: all
    but the CPU, whose caches are small.
    """
    return device.type != "cpu"


def free_memory(device: torch.device | None = None) -> int:
    """Bytes of memory a program may still take, of main memory or of a CUDA device."""
    main = int(psutil.virtual_memory().available)
    if device is None or device.type != "cuda":
        return main
    return min(main, torch.cuda.mem_get_info(device)[0])


def to_device(values: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    """An array on a device; what goes to a GPU is not waited for."""
    here = torch.from_numpy(np.ascontiguousarray(values))
    if device.type != "cuda":
        return here.to(device)
    return here.pin_memory().to(device, non_blocking=True)


def to_host(values: torch.Tensor) -> NDArray[np.float32]:
    """A tensor as an array; a GPU writes it into memory that does not move."""
    if not values.is_cuda:
        return values.cpu().numpy()
    here = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    here.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return here.numpy()


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes (the present size where the system does
    not keep it).
    """
    try:
        import resource
    except ImportError:
        return int(psutil.Process().memory_info().rss)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)
