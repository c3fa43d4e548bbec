"""What a fit says of itself: attributes that are checked, and the dictionary that files hold."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr.config import former
from napari_spatimeinr.config.facts import Chosen, Guard, HoldOut, Mlp, Planes, Provenance

SAMPLES = json.loads((Path(__file__).parent / "data" / "provenance.json").read_text())
"""Of fits of version 0.1.0, with the names of parts that files had then."""
RARE = {
    "method": "SpatimeINR, motion-aligned latents",
    "warnings": ["Between frames 4 and 5 the recording jumps; linear interpolation is used there."],
    "steps": 3,
    "chosen": {"motion": False, "latents": False, "interpolation": "cubic"},
    "reasons": {},
    "constant": True,
    "confidence": {"edges": [[0.1]], "widths": [[[1, 2.0]]], "coverage": [0.9, 1.0]},
    "guard": {"linear": [4, 7], "jumps": [4]},
    "voxels": {
        "voxels_per_voxel": 2,
        "blur_voxels": 0.5,
        "hold_out": {"gain_over_cubic_db": 1, "note": "on a part of the planes kept back"},
    },
    "rcan": None,
    "mlp": {"steps": 5, "ended": "budget", "cells": 256},
    "resumed_from_steps": 8,
    "toy": {"report": [1, {"of": "others"}]},
}
"""What the samples lack."""


@pytest.mark.parametrize("said", [*SAMPLES.values(), RARE, {}], ids=[*SAMPLES, "rare", "empty"])
def test_what_is_read_is_written_again_to_the_last_digit_in_its_order(said):
    facts, wanted = Provenance.of(said), json.dumps(former.provenance(said))
    for same in (
        facts,
        copy.copy(facts),
        copy.deepcopy(facts),
        pickle.loads(pickle.dumps(facts)),
        Provenance.of(facts),
        Provenance.of(dict(facts)),
    ):
        assert json.dumps(same.to_dict()) == wanted
        assert same == facts


def test_facts_are_written_and_read_as_attributes():
    facts = Provenance(seed=3)
    facts.warnings.append("dark")
    facts.chosen.motion = True
    facts.reasons["planes"] = "too few"
    facts.mlp = state = Mlp(steps=0)
    state.steps = 7
    facts.hold_out = HoldOut(frames=(1, 3), gain_over_linear_db=np.float64(0.1) * 3)
    assert facts.mlp.steps == 7
    assert facts.guard.linear == []
    assert facts.voxels is None
    assert facts.to_dict() == {
        "seed": 3,
        "warnings": ["dark"],
        "chosen": {"motion": True},
        "reasons": {"planes": "too few"},
        "mlp": {"steps": 7},
        "hold_out": {"frames": [1, 3], "gain_over_linear_db": 0.1 * 3},
    }


def test_facts_keep_the_order_in_which_they_were_set():
    facts = Provenance(steps=0)
    facts.chosen = Chosen(voxels=True, motion=False)
    facts.method = "ours"
    facts.steps = 9
    facts["toy"] = 1
    facts.complete = True
    assert list(facts) == ["steps", "chosen", "method", "toy", "complete"]
    assert list(facts.chosen) == ["voxels", "motion"]


def test_readers_see_a_dictionary_of_what_was_set():
    facts = Provenance.of(RARE)
    assert isinstance(facts, Mapping)
    assert isinstance(facts["guard"], Mapping)
    assert facts["guard"]["linear"] == [4, 7]
    assert facts.get("guard", {}).get("jumps") == [4]
    assert facts["rcan"] is None
    assert "rcan" in facts
    assert "hold_out" not in facts
    assert facts.get("hold_out", {}) == {}
    assert dict(facts) == {**facts} == facts == RARE
    assert len(facts) == len(RARE)
    assert not Provenance()
    with pytest.raises(KeyError, match="hold_out"):
        facts["hold_out"]
    with pytest.raises(KeyError):
        del facts["hold_out"]


def test_what_is_told_apart():
    facts = Provenance.of(RARE)
    assert facts != RARE | {"steps": 4}
    assert facts != {key: value for key, value in RARE.items() if key != "toy"}
    assert facts != 3
    assert Provenance(seed=0) != Provenance()


def test_former_names_of_parts_mean_those_of_now():
    facts = Provenance.of(SAMPLES["balanced-t7-psf-1"])
    assert facts.chosen.planes is True
    assert facts["chosen"]["axial"] is facts["chosen"]["planes"]
    assert facts["axial"] is facts.planes
    assert "in_plane" in facts["reasons"]
    assert "in_plane" not in facts
    assert list(facts["chosen"])[-3:] == ["planes", "voxels", "published"]
    facts["in_plane"] = {"voxels_per_voxel": 2}
    assert facts.voxels.voxels_per_voxel == 2
    del facts["axial"]
    assert facts.planes is None
    assert "planes" not in facts
    assert Chosen(in_plane=True).voxels is True


def test_parts_of_others_put_their_reports_beside_ours():
    facts = Provenance()
    facts["toy"] = {"gain": np.float32(0.5), "sizes": (1, np.int64(2)), "of": Path("a")}
    facts.chosen.toy = True
    facts.reasons.toys = "none asked for"
    assert facts.toy == facts["toy"]
    assert facts.chosen["toy"] is True
    again = Provenance.of(json.loads(json.dumps(facts.to_dict())))
    assert again["toy"] == {"gain": 0.5, "sizes": [1, 2], "of": "a"}
    assert again["reasons"] == {"toys": "none asked for"}
    del facts["toy"]
    assert "toy" not in facts


def test_facts_change_as_dictionaries_do():
    facts = Provenance(seed=1, steps=2)
    more = facts | {"seconds": 2, "steps": 3}
    assert more == {"seed": 1, "steps": 3, "seconds": 2}
    assert type(more) is Provenance
    assert facts == {"seed": 1, "steps": 2}
    facts |= {"complete": True}
    assert facts.complete is True
    facts.setdefault("threads", []).append(4)
    assert facts.setdefault("threads", []) == [4]
    facts.guard = Guard(linear=[1], jumps=[])
    assert facts.pop("guard") == {"linear": [1], "jumps": []}
    assert facts.pop("guard", None) is None
    assert facts.guard.linear == []
    assert list(facts) == ["seed", "steps", "complete", "threads"]


def test_facts_go_into_dictionaries():
    facts = Provenance(seed=3, method="ours")
    joined = {"seed": 1, "toy": True} | facts
    assert type(joined) is dict
    assert joined == {"seed": 3, "toy": True, "method": "ours"}


def test_copies_are_independent():
    facts = Provenance.of(RARE)
    written, other = facts.to_dict(), copy.deepcopy(facts)
    other.guard.linear.append(9)
    other["toy"]["report"].append(2)
    written["warnings"].clear()
    written["toy"]["report"].clear()
    assert facts == RARE
    of_another = Provenance.of(facts)
    of_another.toy["report"].clear()
    assert facts == RARE


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (3, "not a dictionary"),
        (None, "not a dictionary"),
        ({3: 1}, "not a dictionary"),
        ({"seed": "3"}, "seed"),
        ({"seed": True}, "seed"),
        ({"steps": 2.0}, "steps"),
        ({"chosen": 3}, "chosen"),
        ({"chosen": {"motion": "yes"}}, "chosen.motion"),
        ({"chosen": {"toy": "yes"}}, "chosen.toy"),
        ({"reasons": {"axial": 3}}, "reasons.planes"),
        ({"guard": {"linear": [0.5]}}, "guard.linear.0"),
        ({"axial": {"blur_voxels": "much"}}, "planes.blur_voxels"),
        ({"hold_out": {"all": {"linear": "good"}}}, "hold_out.all.linear"),
    ],
)
def test_what_is_no_provenance_is_refused_in_a_sentence(said, where):
    with pytest.raises(ValueError, match=f"^its provenance is .*{where}"):
        Provenance.of(said)


def test_what_is_set_is_checked():
    facts = Provenance(seed=1)
    for change in (
        lambda: setattr(facts, "seed", "3"),
        lambda: facts.update(seed=None),
        lambda: setattr(facts.chosen, "motion", 1),
        lambda: setattr(facts.chosen, "toy", "yes"),
        lambda: facts.reasons.update(toy=3),
        lambda: setattr(facts, "planes", 3),
        lambda: Planes(sharpened="no"),
    ):
        with pytest.raises(ValueError, match="valid"):
            change()
    assert facts == {"seed": 1}


def test_facts_need_no_torch():
    said = "import sys, napari_spatimeinr.config.facts; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", said], check=True)


def test_copies_are_those_of_a_dictionary() -> None:
    facts = Provenance(seed=3)
    other = facts.copy()
    other.seed = 4
    assert facts.seed == 3
    with pytest.raises(KeyError, match="underscore"):
        facts["_mine"] = 3
