"""Which profiles gate takes, by name and by file."""
import pytest

from gate_runs import FakeHakbench
from hakmem_analysis import gate_settings
from hakmem_analysis.errors import InputError
from test_gate import SIDES, own_folder, profile, run  # noqa: F401  (fixtures)


def test_profiles_of_one_name_are_refused_before_anything_is_measured(profile, tmp_path):  # noqa: F811
    """They would share a folder, and the second would fail when the first is measured."""
    (tmp_path / "other").mkdir()
    fake, profiles = FakeHakbench(), (profile("same"), profile("other/same"))
    with pytest.raises(InputError, match="^2 profiles are called same, .*; rename a file"):
        run(fake, *SIDES, "-p", profiles[0], "-p", profiles[1], "-o", "out")
    assert not fake.calls


def test_a_profile_of_ones_own_comes_before_one_of_the_same_name(profile, tmp_path):  # noqa: F811
    """As in hakbench: else workload and margins would be of two profiles."""
    (tmp_path / "profiles").mkdir()
    profile("profiles/ci_gate", looks=[5])
    profile("profiles/mine", looks=[7])
    fake = FakeHakbench()
    run(fake, *SIDES, "-o", "out")
    run(fake, *SIDES, "-p", "mine", "-o", "2")
    assert [call[call.index("--launches") + 1] for call in fake.calls] == ["5", "7"]
    with pytest.raises(InputError, match="no profile 'mne'; did you mean 'mine'?"):
        gate_settings.find_profile("mne")
