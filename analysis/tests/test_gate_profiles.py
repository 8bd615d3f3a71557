"""Which profiles gate takes, by name and by file."""
import json

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


def test_hakmems_other_names_of_its_profiles(monkeypatch, tmp_path):
    """As hakbench has them, by the table beside it; without one only the files' names are known."""
    for folder in ("bin", "share/hakmem"):
        (tmp_path / folder).mkdir(parents=True)
    program = tmp_path / "bin/hakbench"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("HAKBENCH", str(program))
    with pytest.raises(InputError, match="no profile 'OTHER'"):
        gate_settings.find_profile("OTHER")
    profiles = [{"name": "soak_60m", "alias": ""}, {"name": "ci_gate", "alias": "OTHER"}]
    table = {"gates": [], "profiles": profiles}
    (tmp_path / "share/hakmem/gates.json").write_text(json.dumps(table))
    assert gate_settings.find_profile("OTHER").stem == "ci_gate"


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
