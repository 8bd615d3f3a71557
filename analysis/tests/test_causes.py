"""Each cause, and mixtures, on series whose truth is known."""
import numpy as np
import pandas as pd
import pytest

from hakmem_analysis import causes
from hakmem_analysis.causes import explain
from hakmem_analysis.drift import analyse

TIME_S = np.arange(720) * 5.0
GROWTH_KB = 1024 * TIME_S / 3600


def noise(seed, sd=4.0):
    return np.random.default_rng(seed).normal(0, sd, len(TIME_S))


def soak(rss=GROWTH_KB, live=0.0, huge=0.0, **others):
    """Epochs whose RSS, live blocks and huge pages grow by these (kB); other columns as they are."""
    return pd.DataFrame({"time_s": TIME_S, "rss_kb": 33_000 + rss + noise(1),
                         "live_bytes": 1024 * (20_000 + live + noise(2)),
                         "anon_huge_kb": 4096 + huge + np.zeros(len(TIME_S)), **others})


def cause_of(epochs, floor=None):
    return explain(epochs, analyse(epochs["time_s"], epochs["rss_kb"]), floor)


def after_drain(kb, seed=3):
    return 2000 + kb + noise(seed)


@pytest.mark.parametrize("epochs, name, words", [
    (soak(live=GROWTH_KB), causes.LEAK, "live blocks grew by"),
    (soak(live=GROWTH_KB, huge=GROWTH_KB), causes.LEAK, "live blocks grew by"),
    (soak(huge=np.floor(GROWTH_KB / 64) * 64), causes.HUGE_PAGES, "huge pages grew by"),
    (soak(harness_rss_kb=9000 + GROWTH_KB), causes.HARNESS, "the harness itself grew by"),
    (soak(drained_rss_kb=after_drain(GROWTH_KB), idle_rss_kb=after_drain(GROWTH_KB)),
     causes.ALLOCATOR_LEAK, "RSS after a drain grew by"),
    (soak(drained_rss_kb=after_drain(GROWTH_KB)), causes.ALLOCATOR_LEAK, "keeps what was freed"),
    (soak(drained_rss_kb=after_drain(0)), causes.FRAGMENTATION, "falls back after a drain"),
    (soak(drained_rss_kb=after_drain(GROWTH_KB), idle_rss_kb=after_drain(0, 4)), causes.RETENTION,
     "idling gives it back"),
    (soak(rss=np.where(TIME_S > 2000, 2048, 0)), causes.STEP, "RSS rose by 20"),
    (soak(rss=np.where(TIME_S > 2000, 2048, 0), live=np.where(TIME_S > 2000, 2048, 0)), causes.STEP,
     "with it rose live blocks"),
    (soak(rss=-GROWTH_KB), causes.SHRINKING, "given back"),
    (soak(rss=0 * GROWTH_KB), causes.NONE, "does not drift"),
])
def test_the_cause_is_named(epochs, name, words):
    found = cause_of(epochs)
    assert found.name == name and words in found.reason


def test_a_growth_within_a_large_budget_is_not_denied():
    epochs = soak(rss=GROWTH_KB)
    drift = analyse(epochs["time_s"], epochs["rss_kb"], budget_kb_per_h=100_000)
    assert drift.verdict == "STABLE"
    assert causes.explain(epochs, drift).reason == "memory drifts within the budget of 100000 kB/h"


@pytest.mark.parametrize("epochs, words", [
    (soak(live=0.4 * GROWTH_KB, huge=0.4 * GROWTH_KB), "no one cause explains half of the growth: live blo"),
    (soak(), "because nothing was drained"),
    (soak().drop(columns="live_bytes"), "live bytes were not measured"),
    (soak(live=noise(5, 8000)), "live bytes vary too much"),
    (soak(drained_rss_kb=after_drain(noise(5, 8000))), "RSS after a drain varies too much"),
])
def test_what_cannot_be_told_is_said(epochs, words):
    found = cause_of(epochs)
    assert found.name == causes.UNKNOWN and words in found.reason


def test_flat_is_a_claim_of_the_whole_interval():
    """An estimate below half of the growth is not flat while its interval reaches above it."""
    assert not causes.Growth(100.0, -900.0, 1100.0).is_flat(1000.0)
    assert causes.Growth(100.0, -200.0, 400.0).is_flat(1000.0)


def test_a_floor_that_grows_too_accuses_the_harness():
    epochs = soak(drained_rss_kb=after_drain(GROWTH_KB))
    growing = analyse(TIME_S, 500 + 0.9 * GROWTH_KB + noise(7))
    still = analyse(TIME_S, 500 + noise(7))
    assert cause_of(epochs, growing).name == causes.HARNESS
    assert cause_of(epochs, still).name == causes.ALLOCATOR_LEAK


def test_a_growth_that_slows_is_retention():
    slow = 3000 * (1 - np.exp(-TIME_S / 1200))
    assert cause_of(soak(rss=slow)).name == causes.RETENTION
    assert cause_of(soak(rss=slow, drained_rss_kb=after_drain(slow))).name == causes.RETENTION


def test_a_leak_beside_a_step_is_a_leak():
    step = np.where(TIME_S > 2000, 2048, 0)
    epochs = soak(rss=GROWTH_KB + step, live=GROWTH_KB)
    drift = analyse(epochs["time_s"], epochs["rss_kb"])
    assert drift.verdict == "DRIFT" and drift.step_kb == pytest.approx(2048, rel=0.05)
    assert explain(epochs, drift).name == causes.LEAK


def test_growths_are_kept_as_figures():
    found = cause_of(soak(live=GROWTH_KB))
    assert found.as_dict()["growths_kb"]["live_bytes"] == pytest.approx(768, rel=0.05)
    assert found.growths_kb["rss_kb"] == pytest.approx(768, rel=0.05)


def test_columns_without_a_value_count_as_unmeasured():
    epochs = soak(drained_rss_kb=np.full(len(TIME_S), np.nan))
    assert "nothing was drained" in cause_of(epochs).reason
