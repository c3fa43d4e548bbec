"""How something was made, as it is kept in metadata and inside files; :mod:`.sidecar` has the files
beside them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..data.plain import parsed
from ..data.plain import plain as plain_value
from ..data.record import Record

KEY = "spatimeinr"
"""In a volume's metadata, in files and beside them."""
MOST_BYTES = 16_000_000
"""A longer text is nothing of ours."""
VARYING = ("seconds", "peak_memory_bytes", "threads")
"""What may differ between two equal runs: beside a file, not in it, so that equal results give
equal bytes."""


def provenance(record: Record) -> dict[str, Any] | None:
    """How a recording was made, as JSON values; None where nothing is known."""
    return plain(record.metadata.get(KEY)) or None


def lasting(record: Record) -> dict[str, Any] | None:
    """What of :func:`provenance` goes into a file: all but what differs between two equal runs."""
    return without_varying(provenance(record) or {}) or None


def without_varying(made: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance without what may differ between two equal runs."""
    return {key: value for key, value in made.items() if key not in VARYING}


def plain(made: Any) -> dict[str, Any] | None:
    """A mapping as a dictionary of JSON values; None for all else and what is nested too deeply."""
    if not isinstance(made, Mapping):
        return None
    with suppress(RecursionError):
        values: dict[str, Any] = plain_value(made)
        return values
    return None


def as_text(made: dict[str, Any]) -> str:
    """What is written into a file, ASCII on one line."""
    return json.dumps({KEY: made})


def from_text(text: Any) -> dict[str, Any] | None:
    """What :func:`as_text` wrote; None for any other text."""
    if (
        not isinstance(text, str)
        or not text.lstrip().startswith(f'{{"{KEY}"')
        or len(text) > MOST_BYTES
    ):
        return None
    try:
        made = parsed(text)[KEY]
    except (ValueError, RecursionError, KeyError):
        return None
    return made if isinstance(made, dict) else None
