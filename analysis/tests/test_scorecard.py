"""hakbench scorecard: what it takes from folders, what it claims, and that it is the same each time."""
import errno
import html
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest

from folders import write_rows
from hakmem_analysis import scorecard, scorecard_measures, scorecard_readme, scorecard_svg
from hakmem_analysis.compare import compare
from hakmem_analysis.document import to_html, to_markdown
from hakmem_analysis.errors import InputError
from hakmem_analysis.load import load_result
from hakmem_analysis.scorecard_data import read_card
from hakmem_analysis.scorecard_page import DEFAULT_PAGE, Page
from hakmem_analysis.scorecard_targets import TARGETS, Estimate, judge, milestone_reached
from scorecard_folders import edit_manifest, make_app, make_soak, make_suite, make_workload

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {target.name: target for target in TARGETS}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return make_suite(tmp_path_factory.mktemp("card") / "suite")


@pytest.mark.parametrize("name, estimate, verdict", [
    ("M4", (1.1, 1.0, 1.2), "met"), ("M4", (1.1, 0.99, 1.2), "open"), ("M4", (0.9, 0.8, 0.99), "missed"),
    ("M5", (1.1, 1.0, 1.2), "open"), ("M5", (1.1, 1.01, 1.2), "met"),
    ("T3", (0.9, 0.8, 1.0), "met"), ("T3", (1.2, 1.1, 1.3), "missed"), ("T3", (1.0, 0.9, 1.1), "open"),
    ("T5", (0.01, 0.009, 0.0131), "open"), ("T5", (0.01, 0.009, 0.013), "met"),
    ("M1", (2.0, None, None), "open"), ("M1", (None, None, None), "not measured")])
def test_a_verdict_is_a_claim_of_the_whole_interval(name, estimate, verdict):
    assert judge(BY_NAME[name], Estimate(*estimate)) == verdict


def test_a_milestone_needs_those_below_it():
    met = dict.fromkeys(BY_NAME, "met")
    assert milestone_reached(met) == "M5" and milestone_reached({**met, "M2": "open"}) == "M1"
    assert milestone_reached({**met, "M1": "open"}) == ""


def test_every_target_has_a_measure(suite):
    found = scorecard_measures.measures(read_card([suite], "hakmem"))
    assert {target.measure for target in TARGETS} == set(found)


def test_geometric_mean_with_its_interval_over_workloads():
    ratios = [0.8, 0.9, 1.0, 1.1, 1.2, 1.3, None]
    mean = scorecard_measures.geometric_mean(ratios, list(map(Path, "abcdefg")))
    logs = np.log(ratios[:-1])
    assert mean.value == pytest.approx(np.exp(logs.mean())) and "over 6 workloads (1 without" in mean.note
    error = logs.std(ddof=1) / np.sqrt(6)
    assert np.log([mean.lower, mean.upper]) == pytest.approx(logs.mean() + 2.5706 * error * np.array([-1, 1]),
                                                             abs=1e-4)
    few = scorecard_measures.geometric_mean(ratios[:4], list(map(Path, "abcd")))
    assert few.value is not None and few.lower is None and "an interval takes 5" in few.note
    assert scorecard_measures.geometric_mean([None], [Path("a")]).value is None


def test_ratios_to_each_comparator_and_to_the_best(tmp_path):
    folder = make_workload(tmp_path / "w", (1.1, 1.0, 1.3), noise=0.001)
    workload = read_card([folder], "hakmem").workloads[0]
    assert workload.rows["mimalloc", "throughput"].ratio == pytest.approx(1.1, rel=0.01)
    assert workload.rows["jemalloc", "throughput"].ratio == pytest.approx(1.1 / 1.3, rel=0.01)
    assert workload.best().reference == "jemalloc" and workload.best().verdict == "worse"
    same = next(row for row in compare(load_result(folder)) if row.candidate == "hakmem")
    assert workload.rows["mimalloc", "throughput"].as_dict() == same.as_dict()


def test_a_suite_meets_milestones_and_says_what_failed(call, suite, tmp_path):
    page, html = tmp_path / "card.md", tmp_path / "card.html"
    done = call(scorecard.main, suite, "-o", page, "--html", html, "--format", "json")
    assert done.code == 0
    content = json.loads(done.out)
    targets = {row["name"]: row for row in content["targets"]}
    expected = np.exp(np.mean(np.log([1.0, 1.1, 1.2, 1.3, 1.4, 1.5])))
    assert targets["M4"]["value"] == pytest.approx(expected, rel=0.01) and targets["M4"]["verdict"] == "met"
    assert targets["T1"]["note"].startswith("mimalloc") and targets["T11"]["verdict"] == "met"
    assert targets["T3"]["value"] == pytest.approx(0.9, rel=0.01)
    assert targets["T3"]["note"].startswith("mimalloc")
    assert targets["T10"]["verdict"] == "not measured" and targets["T10"]["value"] is None
    text = page.read_text()
    assert "Milestone reached: M5" in text and "huge: FAILED under tcmalloc" in text
    assert "Same output everywhere" in text
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (tmp_path / link).is_dir()


def test_the_same_command_gives_the_same_bytes(call, suite, tmp_path, monkeypatch):
    monkeypatch.chdir(suite.parent)
    made = []
    for _ in range(2):
        assert call(scorecard.main, "suite", "-o", "same.md", "--html", "same.html").code == 0
        made.append([Path(f"same.{suffix}").read_text() for suffix in ("md", "html")])
    assert made[0] == made[1] and str(suite.parent) not in "".join(made[0])


def printed_command(page):
    return re.search(r"^hakbench scorecard .*$", page.read_text(), re.MULTILINE).group()


@pytest.mark.parametrize("more", [(), ("--html", "a card.html")])
def test_the_printed_command_makes_the_very_files(call, suite, tmp_path, monkeypatch, more):
    """Word for word: it writes what was written, and not the page that is there by default."""
    monkeypatch.chdir(tmp_path)
    assert call(scorecard.main, suite, "-o", "own.md", *more).code == 0
    files = [Path("own.md"), *map(Path, more[1:])]
    contents = [path.read_text() for path in files]
    command = printed_command(files[0])
    assert command in html.unescape(files[-1].read_text())
    for path in files:
        path.unlink()
    assert call(scorecard.main, *shlex.split(command)[2:]).code == 0
    assert [path.read_text() for path in files] == contents and not Path("docs").exists()


def test_each_row_of_the_index_links_to_its_own_folder():
    """A page that is made from another folder says nothing of this one."""
    lines = (ROOT / "results" / "INDEX.md").read_text().splitlines()
    rows = [re.findall(r"\[([^]]+)\]\(([^)]+)\)", line.split("|")[1]) for line in lines
            if line.startswith("| [")]
    assert len(rows) > 20
    for name, link in (pair for row in rows for pair in row):
        folder = Path(link).parts[0]
        assert folder.endswith(name) and (ROOT / "results" / link).is_file(), f"{name}: {link}"


def test_the_command_of_a_measured_suite_writes_into_its_folder(call, suite, monkeypatch):
    monkeypatch.chdir(suite.parent)
    monkeypatch.setattr(scorecard.scorecard_suite, "measure", lambda *_, **__: None)
    assert call(scorecard.main, "--measure", "-o", "suite").code == 0
    assert printed_command(suite / "scorecard.md") == (
        "hakbench scorecard suite -o suite/scorecard.md --html suite/scorecard.html")


def test_the_default_page_names_no_file(call, suite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(DEFAULT_PAGE).parent.mkdir(parents=True)
    assert call(scorecard.main, suite, "-o", f"./{DEFAULT_PAGE}").code == 0
    assert " -o " not in printed_command(Path(DEFAULT_PAGE))


def test_without_a_name_the_page_goes_where_one_stands(call, suite, tmp_path, monkeypatch):
    """Another project may have a folder docs/analysis too; only hakmem's own tree has the page in it."""
    (tmp_path / DEFAULT_PAGE).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    done = call(scorecard.main, suite)
    assert done.code == 0 and f"scorecard: {tmp_path / 'scorecard.md'}" in done.out.splitlines()
    page = (tmp_path / "scorecard.md").read_text()
    assert not Path(DEFAULT_PAGE).exists() and " -o scorecard.md" in printed_command(Path("scorecard.md"))
    (tmp_path / "analysis/src/hakmem_analysis").mkdir(parents=True)
    done = call(scorecard.main, suite)
    assert f"scorecard: {DEFAULT_PAGE}" in done.out.splitlines() and Path(DEFAULT_PAGE).is_file()
    assert (tmp_path / "scorecard.md").read_text() == page


def test_the_html_needs_nothing_else(call, suite, tmp_path):
    call(scorecard.main, suite, "-o", tmp_path / "c.md", "--html", tmp_path / "c.html")
    html = (tmp_path / "c.html").read_text()
    assert "color-scheme: light dark" in html and "width=device-width" in html
    assert not re.search(r'(src|href)="(https?:)?//', html) and "@import" not in html
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == 2
    titles = [[title.text for title in xml.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]
              for svg in drawings]
    assert len(titles[0]) == 1 + 6 * 2 and titles[0][1].startswith("w0: hakmem / mimalloc 1.0")
    assert len(titles[1]) == 1 + 3 and titles[1][2].startswith("mimalloc: throughput 1.000")
    assert html.count("<table>") == html.count("<thead>") and 'data-sort="' in html


def test_columns_of_two_units_are_sorted_by_value(tmp_path):
    """9999 kB is less than 9.8 MB, and 9999 ns less than 10 us."""
    folder = make_workload(tmp_path / "w")
    write_rows(folder / "latency.csv", ("seq", "subject", "launch", "op", "low_ns", "high_ns", "count"),
               [(0, label, 0, "malloc", 20_000, 20_001, 10) for label in "abc"])
    card = read_card([folder, make_soak(tmp_path / "soak")], "hakmem")
    page = to_html(Page(card, "mimalloc", tmp_path).parts(["x"]), "card", sortable=True)
    for kind in (r"\d+ kB", r"[\d.]+ MB", r"\d+ us"):
        assert not re.search(rf"<td>{kind}</td>", page)
    assert re.search(r'<td data-sort="20000\.\d+">20 us</td>', page)


def test_one_workload_is_judged_by_its_own_interval(call, tmp_path):
    """Its report says 1.2 with an interval, which leaves no "at least 0.5" open."""
    folder = make_workload(tmp_path / "w", (1.2, 1.0, 1.1), noise=0.002)
    row = read_card([folder], "hakmem").workloads[0].rows["mimalloc", "throughput"]
    content = json.loads(call(scorecard.main, folder, "-o", tmp_path / "c.md", "--format", "json").out)
    targets = {target["name"]: target for target in content["targets"]}
    assert {targets[name]["verdict"] for name in ("M1", "M2", "M3", "M4", "M5")} == {"met"}
    assert (targets["M1"]["lower"], targets["M1"]["upper"]) == (row.lower, row.upper)
    assert targets["M1"]["note"] == "over 1 workload; the interval is its own, over 12 blocks"
    assert targets["M5"]["note"].startswith("jemalloc, over 1 workload; the interval is its own")
    page = (tmp_path / "c.md").read_text()
    assert "Milestone reached: M5" in page and "under a single workload it is that workload's own" in page


def test_an_interval_that_is_not_firm_judges_nothing(tmp_path):
    folder = make_workload(tmp_path / "w", noise=0.002, quarantined=range(2, 12))
    card = read_card([folder], "hakmem")
    row = card.workloads[0].rows["mimalloc", "throughput"]
    assert row.lower is not None and row.noisy, "the folder is not what this test is about"
    mean = scorecard_measures.throughput_means(card)["mimalloc"]
    assert mean.lower is None and mean.note == "over 1 workload, whose own interval is not firm"


def test_two_workloads_have_no_interval_yet(tmp_path):
    folders = [make_workload(tmp_path / name, noise=0.002) for name in ("one", "two")]
    mean = scorecard_measures.throughput_means(read_card(folders, "hakmem"))["mimalloc"]
    assert mean.lower is None and mean.note == "over 2 workloads; an interval takes 5"


def test_pareto_names_who_beats_whom(suite):
    points, used = scorecard_measures.pareto(read_card([suite], "hakmem"), "mimalloc")
    by_name = {point.allocator: point for point in points}
    assert len(used) == 6 and by_name["mimalloc"].throughput.value == 1
    assert not by_name["hakmem"].dominated_by and by_name["jemalloc"].dominated_by == "hakmem"
    assert by_name["jemalloc"].peak_rss.value == pytest.approx(1.5, rel=0.02)
    assert scorecard_measures.pareto(read_card([suite], "hakmem"), "tcmalloc") == ([], [])


def test_an_axis_always_shows_one():
    for values in ([0.99, 1.01], [0.001, 900], [1.0, 1.0], [3.0, 40.0]):
        scale = scorecard_svg._Scale(values, 0, 100)
        places = sorted(scale(tick) for tick in scale.ticks())
        assert 1 in scale.ticks() and 0 <= places[0] and places[-1] <= 100
        assert all(right - left > 30 for left, right in zip(places, places[1:])), "labels touch"


def test_a_legend_of_eight_allocators_is_whole_and_each_has_a_shape(tmp_path):
    """As many as hakbench ab takes; more than a line holds."""
    names = ("hakmem", *(f"mimalloc-{number}" for number in range(7)))
    folder = make_workload(tmp_path / "w", ratios=[1.0 + number / 10 for number in range(8)], names=names)
    card = read_card([folder], "hakmem")
    points, _ = scorecard_measures.pareto(card, "mimalloc-0")
    drawn = [("w", {name: card.workloads[0].rows[name, "throughput"] for name in card.comparators})]
    for svg, listed in ((scorecard_svg.pareto(points, "mimalloc-0"), names),
                        (scorecard_svg.ratios(drawn, card.comparators, "hakmem"), names[1:])):
        root = xml.fromstring(svg)
        texts = [it for it in root if it.tag.endswith("text") and it.text in listed]
        assert [it.text for it in texts] == list(listed)
        assert max(float(it.get("x")) + 7 * len(it.text) for it in texts) < scorecard_svg.WIDTH
        below = min(float(it.get("y1")) for it in root if it.tag.endswith("}line"))
        assert max(float(it.get("y")) for it in texts) < below
    assert len({scorecard_svg._shape(index, 0, 0) for index in range(len(names))}) == len(names)


def test_soaks_and_system_calls(tmp_path):
    folders = [make_soak(tmp_path / "soak"), make_workload(tmp_path / "w", syscalls=(30, 0, 0))]
    card = read_card(folders, "hakmem")
    assert len(card.soaks) == 1 and card.soaks[0].drift.verdict in ("STABLE", "EXTEND")
    assert 900 < card.soaks[0].drift.rss_peak_kb < 1000  # above the base, as the rest
    found = scorecard_measures.measures(card)
    assert found["drift"].value == pytest.approx(card.soaks[0].drift.slope_kb_per_h)
    rate = found["syscalls"]
    assert rate.value == pytest.approx(1e-6) and rate.lower < 1e-6 < rate.upper
    assert judge(BY_NAME["T8"], rate) == "met" and judge(BY_NAME["T9"], rate) == "missed"
    parts = Page(card, "mimalloc", tmp_path).parts(["x"])
    assert any(getattr(part, "text", "") == "Soaks" for part in parts)


def test_slopes_of_soaks_have_no_exponent(tmp_path):
    card = read_card([make_soak(tmp_path / "soak")], "hakmem")
    drift = replace(card.soaks[0].drift, slope_kb_per_h=13737.4, slope_lower_kb_per_h=-16495.0,
                    slope_upper_kb_per_h=43988.0)
    card.soaks[0] = replace(card.soaks[0], drift=drift)
    page = to_markdown(Page(card, "mimalloc", tmp_path).parts(["x"]))
    assert "| 13737 kB/h | -16495 .. 43988 |" in page and not re.search(r"\de\+\d", page)


def test_the_worst_of_several_is_as_uncertain_as_any_of_them():
    means = {"a": Estimate(1.00, 0.98, 1.02, "a"), "b": Estimate(1.02, 0.90, 1.15, "b")}
    worst = scorecard_measures._named(means, min)
    assert (worst.value, worst.lower, worst.upper) == (1.00, 0.90, 1.02)
    assert judge(BY_NAME["T2"], worst) == "open"
    open_one = {**means, "c": Estimate(1.5)}
    assert scorecard_measures._named(open_one, min).lower is None


def test_the_worst_rate_of_several_workloads_has_the_highest_bounds(tmp_path):
    few = make_workload(tmp_path / "few", syscalls=(1, 0, 0))
    none = make_workload(tmp_path / "none", syscalls=(0, 0, 0), params={"ws": 8192}, epochs_of_single=1)
    found = scorecard_measures.measures(read_card([none, few], "hakmem"))["syscalls_worst"]
    rates = [scorecard_measures.syscall_rate(workload, "hakmem")
             for workload in read_card([none, few], "hakmem").workloads]
    assert found.value == max(rate.value for rate in rates) > 0
    assert found.lower == max(rate.lower for rate in rates) > 0
    assert found.upper == max(rate.upper for rate in rates)


def test_a_soak_of_a_profile_counts_for_its_allocator(tmp_path):
    soak = make_soak(tmp_path / "soak", "hakmem@mixed_balanced")
    card = read_card([soak, make_workload(tmp_path / "w")], "hakmem")
    found = scorecard_measures.measures(card)["drift"]
    assert found.value is not None and "hakmem@mixed_balanced" in found.note
    other = read_card([make_soak(tmp_path / "other", "mimalloc"), tmp_path / "w"], "hakmem")
    assert scorecard_measures.measures(other)["drift"].value is None


def test_what_was_not_measured_is_never_a_number(tmp_path):
    folder = make_workload(tmp_path / "w", syscalls=("", "", ""))
    found = scorecard_measures.measures(read_card([folder], "hakmem"))
    assert found["syscalls"].value is None and judge(BY_NAME["T8"], found["syscalls_worst"]) == "not measured"


def test_a_folder_that_is_given_twice_is_refused(suite):
    """Also one of a suite that is given too: its workload would have twice the weight."""
    with pytest.raises(InputError, match="w1 is given twice; a measurement counts once"):
        read_card([suite, suite / "w1"], "hakmem")


def test_workloads_of_one_name_are_told_apart(tmp_path):
    card = read_card([make_workload(tmp_path / "one"), make_workload(tmp_path / "two")], "hakmem")
    assert [workload.name for workload in card.workloads] == ["random_mixed ws=400 (one)",
                                                              "random_mixed ws=400 (two)"]


def test_controls_and_the_floor_are_no_comparators(tmp_path):
    folder = make_workload(tmp_path / "w", names=("hakmem", "mimalloc", "floor"))
    assert read_card([folder], "hakmem").comparators == ["mimalloc"]


@pytest.mark.parametrize("make, words", [
    (lambda folder: folder.mkdir(), "neither manifest.json nor suite.json"),
    (lambda folder: None, "no such folder"),
    (lambda folder: make_workload(folder, names=("mimalloc", "jemalloc"), ratios=(1, 1)),
     "no subject is hakmem; there are mimalloc, jemalloc"),
    (lambda folder: make_workload(folder, names=("hakmem", "hakmem"), ratios=(1, 1)), "nothing but hakmem"),
    (lambda folder: edit_manifest(make_workload(folder), format="other/1"), "format is 'other/1'"),
    (lambda folder: (make_app(folder) / "verdict.json").write_text("{"), "run hakbench app again")])
def test_a_folder_that_cannot_be_used_is_one_line(call, tmp_path, make, words):
    make(tmp_path / "f")
    done = call(scorecard.main, tmp_path / "f", "-o", tmp_path / "c.md")
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_named(call, suite, tmp_path):
    done = call(scorecard.main, suite, "-o", tmp_path / "no" / "card.md")
    assert done.code == 1 and "cannot be written" in done.err and done.err.count("\n") == 1


def test_a_full_disk_leaves_the_page_that_was_there(call, suite, tmp_path, monkeypatch):
    written = Path.write_text

    def fill(path, content, **more):
        if "html" not in path.name:
            return written(path, content, **more)
        path.write_bytes(content[:100].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    page, own_html = tmp_path / "card.md", tmp_path / "card.html"
    own_html.write_text("old")
    monkeypatch.setattr(Path, "write_text", fill)
    done = call(scorecard.main, suite, "-o", page, "--html", own_html)
    assert done.code == 1 and done.err == (f"hakbench scorecard: error: {own_html}: cannot be written (No "
                                           "space left on device); free space\n")
    assert own_html.read_text() == "old" and set(tmp_path.iterdir()) == {page, own_html}
    monkeypatch.undo()
    page.chmod(0o600)
    assert call(scorecard.main, suite, "-o", page).code == 0 and page.stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def committed():
    """(the text of the committed page, what its own command was given, the Card of its folders)."""
    page = ROOT / DEFAULT_PAGE
    options = scorecard.make_parser().parse_args(shlex.split(printed_command(page))[2:])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return page.read_text(encoding="utf-8"), options, read_card(options.folders, options.candidate)


def test_the_committed_scorecard_is_what_its_folders_say(committed, monkeypatch):
    """Never a number typed by hand: the page's own command makes the page again, byte for byte."""
    monkeypatch.chdir(ROOT)
    content, options, card = committed
    parts = Page(card, options.reference, Path(DEFAULT_PAGE).parent).parts(options.folders)
    assert to_markdown(parts) == content


def test_the_figures_of_the_readme_are_those_of_the_committed_scorecard(committed):
    """Mended by the page's own command, at the top of the tree: it writes both."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = readme.partition(f"{scorecard_readme.BEGIN}\n")[2].partition(f"\n{scorecard_readme.END}")[0]
    assert found == scorecard_readme.paragraph(committed[2], DEFAULT_PAGE)


def test_the_paragraph_says_how_much_of_whom_and_who_is_ahead(suite, tmp_path):
    card = read_card([suite], "hakmem")
    words = " ".join(scorecard_readme.paragraph(card, "p.md").split())
    means = scorecard_measures.throughput_means(card)
    assert words.startswith(f"Over 6 workloads the geometric mean of throughput is "
                            f"{means['mimalloc'].value:.2f} of mimalloc")
    assert "that of peak RSS is 0.90 of mimalloc and 0.60 of jemalloc: [the scorecard](p.md)." in words
    assert words.endswith("hakmem is shown to be behind in none of them.")
    make_workload(tmp_path / "slow", (0.8, 1.0, 0.9), names=("hakmem", "jemalloc", "glibc"), noise=0.002)
    lost = read_card([suite, tmp_path / "slow"], "hakmem")
    words = " ".join(scorecard_readme.paragraph(lost, "p.md").split())
    assert "Over 7 workloads (mimalloc in 6, without `random_mixed ws=400`; glibc in 1) the" in words
    assert re.search(r"behind in `random_mixed ws=400` \(0\.80 of jemalloc, 0\.\d\d to 0\.\d\d\) and "
                     r"`random_mixed ws=400` \(0\.89 of glibc, 0\.8\d to 0\.\d\d\)\.$", words)


def test_the_page_of_the_source_tree_takes_the_readme_along(call, suite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in scorecard.SOURCE_TREE:
        (tmp_path / folder).mkdir(parents=True)
    readme = tmp_path / "README.md"
    old = f"one\n\n{scorecard_readme.BEGIN}\nstale\n{scorecard_readme.END}\n\ntwo\n"
    readme.write_text(old)
    assert call(scorecard.main, suite, "-o", "elsewhere.md").code == 0 and readme.read_text() == old
    done = call(scorecard.main, suite)
    assert done.code == 0 and "figures: README.md" in done.out.splitlines()
    words = scorecard_readme.paragraph(read_card([suite], "hakmem"), DEFAULT_PAGE)
    assert readme.read_text() == old.replace("stale", words)
    _micro_file(tmp_path / "micro", "hakmem", {"malloc_free/size:64": [2.0]})
    assert call(scorecard.main, "micro").code == 0 and readme.read_text() == old.replace("stale", words)
    readme.write_text("of another kind\n")
    assert call(scorecard.main, suite).code == 0 and readme.read_text() == "of another kind\n"
    readme.write_text(scorecard_readme.BEGIN)
    done = call(scorecard.main, suite)
    assert done.code == 1 and "must be there once each" in done.err and done.err.count("\n") == 1


def _micro_file(folder, allocator, times):
    folder.mkdir(exist_ok=True)
    rows = [{"name": f"{name}_{kind}", "run_name": name, "run_type": kind, "real_time": ns / 1000,
             "time_unit": "us"}
            for name, values in times.items() for kind in ("iteration", "aggregate") for ns in values]
    content = {"context": {"allocator": allocator}, "benchmarks": rows}
    (folder / f"{allocator}.json").write_text(json.dumps(content))


def test_the_micro_suite_joins_without_a_verdict(call, tmp_path):
    folder = tmp_path / "micro"
    _micro_file(folder, "hakmem", {"malloc_free/size:64": [2.0, 4.0, 90.0], "calloc_free/size:64": [8.0]})
    _micro_file(folder, "mimalloc", {"malloc_free/size:64": [8.0], "calloc_free/size:64": [4.0]})
    done = call(scorecard.main, folder, "-o", tmp_path / "card.md")
    assert done.code == 0, done.err
    page = (tmp_path / "card.md").read_text()
    row = next(line for line in page.splitlines() if "calloc" in line)
    assert "8.000 ns" in row and "0.500" in row
    row = next(line for line in page.splitlines() if line.startswith("| [malloc"))
    assert row.endswith("| 4.000 ns | 2.000 |")
    assert "| geometric mean |" in page and "no interval and no verdict" in page


def test_a_micro_folder_without_the_candidate_is_refused(call, tmp_path):
    _micro_file(tmp_path / "micro", "mimalloc", {"malloc_free/size:64": [8.0]})
    done = call(scorecard.main, tmp_path / "micro", "-o", tmp_path / "card.md")
    assert done.code == 1 and "no file is of hakmem; there are mimalloc" in done.err
