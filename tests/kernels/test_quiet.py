"""Kernels come in the background, and nobody notices."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

WATCHED = """
import gc, json, sys
from napari_spatimeinr import kernels
if sys.argv[1] == "off":
    gc.disable()
if sys.argv[1] == "frozen":
    gc.freeze()
whole, frozen = [], gc.get_freeze_count()
gc.callbacks.append(lambda phase, known: whole.append(phase) if known["generation"] == 2 else None)
failed = kernels.settle()
gc.callbacks.clear()
young = len(gc.get_objects(0))
print(json.dumps([failed, whole, gc.isenabled(), frozen > 0, gc.get_freeze_count() > 0, young]))
"""


def watched(collector: str):
    command = [sys.executable, "-c", WATCHED, collector]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("collector", ["on", "off", "frozen"])
def test_all_objects_are_not_looked_at_while_kernels_come(collector: str) -> None:
    failed, whole, on, before, after, young = watched(collector)
    assert failed == {}
    assert whole == []
    assert on == (collector != "off"), "the collector is what it was"
    assert before == after == (collector == "frozen"), "and so is what was frozen"
    if collector == "on":
        assert young < 20_000, "nor is what was imported left for the next look at young ones"
