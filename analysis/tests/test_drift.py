"""Drift verdicts on soaks whose truth is known."""
import numpy as np
import pytest

from hakmem_analysis.drift import analyse, warmup_epochs
from hakmem_analysis.errors import InputError

HOUR = np.arange(720) * 5.0


def soak(slope_kb_per_h=0.0, noise_kb=8.0, seed=1, time_s=HOUR, step_kb=0.0, memory=0.0, warmup_kb=0.0):
    """RSS in whole pages: level, ramp, AR(1) noise, one step at 60 %, growth over the first 10 %."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, noise_kb, len(time_s))
    for i in range(1, len(noise)):
        noise[i] += memory * noise[i - 1]
    rss = 33_000 + slope_kb_per_h * time_s / 3600 + noise
    rss += np.where(np.arange(len(time_s)) > 0.6 * len(time_s), step_kb, 0)
    rss -= warmup_kb * np.clip(1 - np.arange(len(time_s)) / (0.1 * len(time_s)), 0, 1)
    return np.round(rss / 4) * 4


def test_a_constant_is_stable_to_a_page_an_hour():
    drift = analyse(HOUR, np.full(720, 33_000.0), budget_kb_per_h=16)
    assert drift.verdict == "STABLE"
    assert (drift.slope_kb_per_h, drift.drift_percent) == (0, 0)
    assert drift.smallest_slope_kb_per_h == pytest.approx(4 / 0.75, rel=0.01)


def test_a_leak_drifts():
    drift = analyse(HOUR, soak(256))
    assert drift.verdict == "DRIFT"
    assert drift.slope_kb_per_h == pytest.approx(256, abs=20)
    assert drift.mann_kendall_p < 1e-6


@pytest.mark.parametrize("memory", [0.5, 0.8])
def test_the_interval_of_the_slope_covers_the_truth(memory):
    soaks = (analyse(HOUR, soak(40, seed=seed, memory=memory)) for seed in range(100))
    covered = sum(drift.slope_lower_kb_per_h <= 40 <= drift.slope_upper_kb_per_h for drift in soaks)
    assert covered / 100 >= 0.90


def test_shrinking_beyond_the_budget_is_no_steady_state_either():
    assert analyse(HOUR, soak(-256)).verdict == "DRIFT"


def test_within_the_budget_is_stable():
    assert analyse(HOUR, soak(10)).verdict == "STABLE"


def test_too_short_says_extend_and_what_it_could_have_seen():
    drift = analyse(HOUR[:60], soak(20, time_s=HOUR[:60]))
    assert drift.verdict == "EXTEND" and drift.smallest_slope_kb_per_h > 64
    assert "smallest slope" in drift.reason
    assert analyse(HOUR[:6], soak(time_s=HOUR[:6])).verdict == "EXTEND"


def test_one_step_is_no_trend():
    drift = analyse(HOUR, soak(step_kb=2048))
    assert drift.verdict == "EXTEND" and "step" in drift.reason
    assert drift.step_kb == pytest.approx(2048, abs=20)
    assert drift.step_at_s == pytest.approx(0.6 * 3600, abs=200)


def test_growth_while_warming_up_is_not_drift():
    drift = analyse(HOUR, soak(warmup_kb=5000))
    assert drift.verdict == "STABLE" and drift.rss_first_kb < 29_000


def test_warm_up_is_a_quarter_or_half():
    assert warmup_epochs(np.full(100, 5.0)) == 25
    assert warmup_epochs(np.concatenate([np.linspace(0, 100, 45), np.full(55, 100)])) == 50


def test_correlated_noise_does_not_cry_wolf():
    """20 clean soaks with AR(1) noise (0.8): no DRIFT."""
    verdicts = [analyse(HOUR, soak(seed=seed, memory=0.8)).verdict for seed in range(20)]
    assert "DRIFT" not in verdicts and verdicts.count("STABLE") >= 15


def test_the_other_figures():
    ops = np.full(720, 1e9)
    drift = analyse(HOUR, soak(), ops_per_s=np.tile([1e8, 1.02e8], 360), peak_rss_kb=np.full(720, 40_000.0),
                    syscalls=np.full(720, 125.0), ops=ops)
    assert drift.syscalls_per_op == pytest.approx(1.25e-7)
    assert drift.rss_peak_kb == 40_000
    assert drift.cv == pytest.approx(0.0099, rel=0.01)


def test_unmeasured_is_null_in_json():
    assert analyse(HOUR, soak()).as_dict()["syscalls_per_op"] is None


def test_nothing_to_judge():
    with pytest.raises(InputError, match="nothing to judge"):
        analyse([1.0, 2.0], [np.nan, np.nan])


def test_a_leak_of_one_mb_per_hour_shows_in_ten_minutes():
    time_s = np.arange(600.0)
    drift = analyse(time_s, soak(1024, noise_kb=2, time_s=time_s))
    assert drift.verdict == "DRIFT" and drift.slope_lower_kb_per_h > 900


def test_a_staircase_is_a_trend_and_two_stairs_are_too_few():
    stairs = 33_000 + 64 * np.floor(1024 * HOUR / 3600 / 64)
    assert analyse(HOUR, stairs).verdict == "DRIFT"
    two = 33_000 + 256.0 * (HOUR > 1500) + 256.0 * (HOUR > 2500)
    drift = analyse(HOUR, two)
    assert drift.verdict == "EXTEND" and drift.increments == pytest.approx(2, abs=0.1)
    assert drift.needed_s > 3600


def test_a_leak_beside_a_step_is_still_found():
    drift = analyse(HOUR, soak(512, step_kb=2048))
    assert drift.verdict == "DRIFT" and "one step" in drift.reason
    assert drift.slope_kb_per_h == pytest.approx(512, rel=0.1)


def test_a_leak_that_comes_at_random_is_a_walk_and_found():
    """Its residual from a line remembers for ever, so no blocks of levels are independent."""
    walk = 33_000 + 64.0 * np.cumsum(np.random.default_rng(5).poisson(0.5, 720))
    drift = analyse(HOUR, walk)
    assert (drift.method, drift.verdict) == ("increments", "DRIFT")


def test_a_warm_up_that_is_not_over_is_no_drift():
    drift = analyse(HOUR, 33_000 - 2000 * np.exp(-HOUR / 900))
    assert drift.verdict == "EXTEND" and drift.slowing and "ever more slowly" in drift.reason
    assert drift.needed_s == pytest.approx(7200, rel=0.01)


def test_extend_says_how_long_a_soak_would_tell():
    """Soaks of the length that a first one asked for are decided."""
    time_s = np.arange(120) * 5.0
    asked = analyse(time_s, soak(time_s=time_s, seed=3))
    assert asked.verdict == "EXTEND" and 600 < asked.needed_s < 3600
    assert "a soak of about" in asked.reason
    longer = np.arange(0, 1.3 * asked.needed_s, 5.0)
    verdicts = [analyse(longer, soak(time_s=longer, seed=seed)).verdict for seed in range(20)]
    assert verdicts.count("STABLE") >= 15


def test_a_soak_of_seconds_is_told_how_long_however_many_times_its_length_that_is():
    """But of one that would take more than a day, and 64 times its length, nothing is promised."""
    time_s = np.arange(60) * 0.1
    drift = analyse(time_s, soak(noise_kb=100, time_s=time_s))
    assert drift.verdict == "EXTEND" and 64 * 6 < drift.needed_s < 24 * 3600
    assert "a soak of about" in drift.reason
    off = analyse(HOUR, soak(noise_kb=1000)).slope_kb_per_h
    drift = analyse(HOUR, soak(64 - off, noise_kb=1000))
    assert np.isnan(drift.needed_s) and "no soak settles it soon" in drift.reason


@pytest.mark.parametrize("at", range(401, 412))
def test_a_step_is_found_to_the_epoch(at):
    """A block of epochs is coarser; one epoch on the wrong side would hide the memory of the noise."""
    time_s = np.arange(600.0)
    rss = soak(noise_kb=2, time_s=time_s, memory=0.9) + np.where(time_s >= at, 2048, 0)
    assert analyse(time_s, rss).step_at_s == at


def test_a_soak_of_seconds_asks_for_minutes():
    """At 64 kB/h a page more takes 3.75 minutes after the warm-up to be within the budget."""
    for epochs in (1, 3, 9):
        drift = analyse(HOUR[:epochs], np.full(epochs, 1000.0))
        assert drift.verdict == "EXTEND" and drift.needed_s == pytest.approx(300)


def test_a_step_is_settled_when_it_lies_in_the_warm_up():
    drift = analyse(HOUR, soak(step_kb=2048))
    assert drift.needed_s == pytest.approx(4 * drift.step_at_s)
    longer = np.arange(0, 1.1 * drift.needed_s, 5.0)
    rss = 33_000 + np.where(longer > drift.step_at_s, 2048.0, 0)
    assert analyse(longer, rss).verdict == "STABLE"


def an_hour_of_seconds(seed):
    return 600_000 + 4.0 * np.random.default_rng(seed).integers(0, 2, 3600)


@pytest.mark.parametrize("late, size_kb", [(2, 500_000), (60, 500_000), (60, -500_000), (60, 60)])
def test_a_step_at_the_very_end_is_not_stable(late, size_kb):
    """An hour of which the last seconds or minute are elsewhere, by more than what the budget allows."""
    rss = an_hour_of_seconds(1)
    rss[-late:] += size_kb
    found = analyse(np.arange(3600), rss)
    assert found.verdict == "EXTEND" and found.reason.startswith("one step of")
    assert found.step_kb == pytest.approx(size_kb, abs=4) and found.step_at_s == 3600 - late


def test_a_growth_that_begins_near_the_end_is_not_stable_but_a_peak_that_is_over_is():
    peak, growth, little = (an_hour_of_seconds(seed) for seed in (2, 3, 4))
    peak[-50:-20] += 500_000
    growth[-60:] += 10.0 * np.arange(60)
    little[-60:] += 20.0
    assert [analyse(np.arange(3600), rss).verdict for rss in (peak, growth, little)] == [
        "STABLE", "EXTEND", "STABLE"]
