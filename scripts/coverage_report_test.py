#!/usr/bin/env python3
"""Tests of coverage_report.py: each way to fail is shown on a planted gap, and to pass without it.

Runs with `python3 scripts/coverage_report_test.py`; standard library only.
"""
import contextlib
import io
import unittest

import coverage_report
from coverage_report import BadInput, count_lines, judge, read_explained, report

FILE = "allocator/src/os/linux.cc"
SOURCE = ["int f() {", "  if (x)", "    return 1;", "  return 0;", "}"]


def document(counts, file=f"/house/{FILE}"):
    """One object file's counts, as gcov writes them: {line number: times run}."""
    lines = [{"line_number": number, "count": count} for number, count in counts.items()]
    return {"current_working_directory": "/house/build", "files": [{"file": file, "lines": lines}]}


class CoverageReport(unittest.TestCase):
    def verdict(self, counts, explained="", minimum=0.0):
        """(exit code, what was printed)"""
        counted = count_lines([document(counts)], "/house")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = report(*judge(counted, read_explained(explained), lambda _: SOURCE), minimum)
        return code, printed.getvalue()

    def test_all_run(self):
        self.assertEqual(self.verdict({1: 4, 2: 4, 3: 1}, minimum=100.0)[0], 0)

    def test_a_gap_fails_and_is_named(self):
        code, printed = self.verdict({1: 4, 3: 0})
        self.assertEqual(code, 2)
        self.assertIn(f"{FILE}:3: neither run nor explained: return 1;", printed)

    def test_an_explained_gap_passes(self):
        code, printed = self.verdict({1: 4, 3: 0}, f"{FILE}: the kernel never says so\n    return 1;\n")
        self.assertEqual(code, 0)
        self.assertNotIn("neither", printed)

    def test_an_explanation_does_not_raise_the_share(self):
        code, printed = self.verdict({1: 4, 3: 0}, f"{FILE}: why\n  return 1;\n", minimum=95.0)
        self.assertEqual(code, 2)
        self.assertIn("50.0 % of 2 lines", printed)

    def test_a_line_that_one_variant_ran_is_run(self):
        counted = count_lines([document({3: 0}), document({3: 2}, "../" + FILE)], "/house")
        self.assertEqual({FILE: {3: 2}}, counted)

    def test_files_of_others_do_not_count(self):
        self.assertEqual({}, count_lines([document({1: 0}, "/usr/include/c++/12/atomic")], "/house"))

    def test_tables_do_not_count(self):
        table = document({1: 0}, "/house/allocator/src/config/knobs.def")
        self.assertEqual({}, count_lines([table], "/house"))

    def test_an_explanation_of_a_run_line_is_noted(self):
        code, printed = self.verdict({3: 1}, f"{FILE}: why\n  return 1;\n")
        self.assertEqual(code, 0)
        self.assertIn("explained, but run this time: return 1;", printed)

    def test_an_explanation_of_a_vanished_line_is_an_error(self):
        with self.assertRaisesRegex(BadInput, "no line `return 2;`"):
            self.verdict({3: 0}, f"{FILE}: why\n  return 2;\n")

    def test_an_explanation_needs_a_reason(self):
        for text in (f"{FILE}:\n  return 1;\n", f"{FILE}: \n", "  return 1;\n"):
            with self.assertRaises(BadInput):
                read_explained(text)

    def test_a_build_without_counts_is_an_error(self):
        with self.assertRaisesRegex(BadInput, "no .gcno"):
            list(coverage_report.gcov_documents("/nonexistent", "gcov"))


if __name__ == "__main__":
    unittest.main()
