"""What a profile's `gate` part says: confidence, planned looks, margins, gain, a soak's budget.

Purpose     Read and check it before anything is measured.
Boundary    Profile name or file in, GateSettings out. The rest of a profile is the harness's, which checks
            it itself.
Invariants  An unknown key or metric is an error that names file, key and what was expected.
"""
from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .binary import find_shared
from .errors import InputError
from .metrics import METRICS, RATIO

PROFILES = Path(__file__).resolve().parents[3] / "profiles"
OWN_PROFILES = Path("profiles")  # where one stands; looked into first, as hakbench does
RSS_DRIFT_KB_PER_H = 64.0
LEAST_LAUNCHES = 4  # for a decision
KEYS = ("confidence", "looks", "margins", "gain", "metrics", "rss_drift_kb_per_h")


@dataclass(frozen=True)
class GateSettings:
    """`looks`: launches in all at each planned look, rising. `margins`: those that differ from the metric's
    own, by name. `rss_drift_kb_per_h`: the budget of a soak; gates of throughput do not look at it."""

    confidence: float = 0.95
    looks: tuple = (10, 20, 40)
    gain: float = 0.005
    margins: dict = field(default_factory=dict)
    metrics: tuple = tuple(METRICS)
    rss_drift_kb_per_h: float = RSS_DRIFT_KB_PER_H

    def margin(self, name: str) -> float:
        return self.margins.get(name, METRICS[name].margin)

    def as_dict(self) -> dict:
        return {"confidence": self.confidence, "looks": list(self.looks), "gain": self.gain,
                "margins": {name: self.margin(name) for name in self.metrics}}


def find_profile(name: str) -> Path:
    """The file of a profile: a path, or a name of those in ./profiles and of those that come with hakbench;
    hakmem's other names for its profiles too. Raises InputError."""
    path = Path(name)
    if path.suffix == ".json" or "/" in name:
        if path.is_file():
            return path
        raise InputError(f"{name}: no such profile; name a file, or one of: {', '.join(known_profiles())}")
    own_name = _profile_of_alias(name)
    for folder in (OWN_PROFILES, PROFILES):
        if (folder / f"{own_name}.json").is_file():
            return folder / f"{own_name}.json"
    raise InputError(f"no profile '{name}'{_suggest(name, known_profiles())}; there are: "
                     f"{', '.join(known_profiles())}")


def _profile_of_alias(name: str) -> str:
    """The profile that hakmem has another name for, by the table beside hakbench; else the name itself."""
    try:
        table = json.loads(find_shared("gates.json").read_text(encoding="utf-8"))
        return next((row["name"] for row in table["profiles"] if row.get("alias") == name), name)
    except (InputError, OSError, ValueError, KeyError):  # hakbench goes on without the table too
        return name


def known_profiles() -> list:
    return sorted({path.stem for folder in (OWN_PROFILES, PROFILES) for path in folder.glob("*.json")
                   if path.stem != "schema"})


def _suggest(word: str, known) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def without_comments(text: str) -> str:
    """JSON from JSON with // and /* */ comments; texts are left alone, lines keep their numbers."""
    def replace(match):
        token = match.group(0)
        return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)
    return re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', replace, text, flags=re.DOTALL)


def load_settings(profile: Optional[str]) -> GateSettings:
    """The gate part of a profile; the defaults without one. Raises InputError."""
    if profile is None:
        return GateSettings()
    return check_settings(load_document(profile).get("gate", {}), str(find_profile(profile)))


def load_document(profile: str) -> dict:
    """All that a profile says. Raises InputError."""
    path = find_profile(profile)
    try:
        document = json.loads(without_comments(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); mend the profile") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a profile must be an object {{ ... }}; mend the profile")
    return document


def check_settings(gate: dict, where: str) -> GateSettings:
    """GateSettings of a `gate` object. Raises InputError, which names `where`."""
    def need(good: bool, key: str, expected: str):
        if not good:
            raise InputError(f"{where}: 'gate.{key}' must be {expected}, not {json.dumps(gate.get(key))}")

    if not isinstance(gate, dict):
        raise InputError(f"{where}: 'gate' must be an object {{ ... }}")
    for key in gate:
        if key not in KEYS:
            raise InputError(f"{where}: unknown key 'gate.{key}'{_suggest(key, KEYS)}; there are: "
                             f"{', '.join(KEYS)}")
    default = GateSettings()
    confidence, gain = gate.get("confidence", default.confidence), gate.get("gain", default.gain)
    need(_is_number(confidence) and 0.5 <= confidence < 1, "confidence", "a fraction from 0.5 to 1, as 0.95")
    need(_is_number(gain) and 0 <= gain < 1, "gain", "a fraction, as 0.005")
    looks = gate.get("looks", list(default.looks))
    need(isinstance(looks, list) and 1 <= len(looks) <= 3
         and all(isinstance(n, int) and n >= 2 for n in looks) and looks == sorted(set(looks))
         and looks[-1] >= LEAST_LAUNCHES,
         "looks", f"one to three rising numbers of launches, the last at least {LEAST_LAUNCHES}, as "
                  "[10, 20, 40]")
    margins, names = gate.get("margins", {}), gate.get("metrics", list(METRICS))
    need(isinstance(margins, dict) and all(map(_is_margin, margins.values())), "margins",
         "an object of positive numbers by metric")
    need(isinstance(names, list) and names, "metrics", "a list of metric names")
    drift = gate.get("rss_drift_kb_per_h", default.rss_drift_kb_per_h)
    need(_is_margin(drift), "rss_drift_kb_per_h", "a positive number of kB an hour, as 64")
    for name in [*margins, *names]:
        if name not in METRICS:
            raise InputError(f"{where}: unknown metric '{name}' in 'gate'{_suggest(str(name), METRICS)}; "
                             f"there are: {', '.join(METRICS)}")
    for name, margin in margins.items():
        if METRICS[name].scale == RATIO and margin >= 1:
            raise InputError(f"{where}: 'gate.margins.{name}' must be a fraction below 1, as 0.015 for "
                             f"1.5 %, not {margin}")
    return GateSettings(confidence, tuple(looks), gain, dict(margins), tuple(names), float(drift))


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_margin(value) -> bool:
    return _is_number(value) and value > 0
