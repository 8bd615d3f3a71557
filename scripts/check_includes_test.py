#!/usr/bin/env python3
"""Tests of check_includes.py: every rule is shown to fail on a planted violation, and to pass without.

Runs with `python3 scripts/check_includes_test.py`; standard library only.
"""
import subprocess
import tempfile
import unittest
from pathlib import Path

import check_includes

TABLE = """
allocator/include
allocator/src/base
allocator/src/config  allocator/src/base
allocator/src/os      allocator/src/config
allocator/src/slab    allocator/src/os
allocator/test        allocator/src/slab
harness/src/model
harness/plugins
harness/plugins/hakmem.c allocator/include
"""

GUARDED = "#ifndef HAKMEM_HAKMEM_H_\n#ifdef __cplusplus\n#endif\n#endif\n"


class CheckIncludes(unittest.TestCase):
    def violations(self, **changed):
        """The lines for a small clean tree in which `changed` (file=text; __ is /) is written over."""
        tree = {
            "scripts/lib/layers.txt": TABLE,
            "allocator/include/hakmem/hakmem.h": GUARDED,
            "allocator/src/base/bits.h": "#if defined(__x86_64__)\n#endif\n",
            "allocator/src/config/knobs.cc": '#include "base/bits.h"\nconst char *v = getenv("HAKMEM_X");\n',
            "allocator/src/os/linux.h": '#include <sys/mman.h>\n#include "config/knobs.h"\n',
            "allocator/src/config/knobs.h": "",
            "allocator/src/slab/slab.h": '#include "base/bits.h"\n#include "os/linux.h"\n',
            "allocator/test/unit/slab_test.cc": '#include "slab/slab.h"\n#if 1\n#endif\n',
            "harness/src/model/epoch.h": "",
            "harness/plugins/hakmem.c": '#include "hakmem/hakmem.h"\n',
            "harness/plugins/floor.c": "#if 1\n#endif\n",
        }
        tree.update(changed)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in tree.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            subprocess.run(["git", "init", "-q", folder], check=True)
            subprocess.run(["git", "-C", folder, "add", "."], check=True)
            return check_includes.check_tree(root)

    def assert_one(self, lines, *parts):
        self.assertEqual(len(lines), 1, lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_clean_tree(self):
        self.assertEqual(self.violations(), [])

    def test_include_up_the_layers(self):
        lines = self.violations(**{"allocator/src/os/linux.h": '\n#include "slab/slab.h"\n'})
        self.assert_one(lines, "allocator/src/os/linux.h:2:", "may not include allocator/src/slab/slab.h")

    def test_include_up_with_angle_brackets_or_relative_path(self):
        for target in ("<slab/slab.h>", '"../slab/slab.h"'):
            lines = self.violations(**{"allocator/src/os/linux.h": f"#include {target}\n"})
            self.assert_one(lines, "allocator/src/os/linux.h:1:")

    def test_products_meet_only_in_the_plugin(self):
        for path, include in (("harness/src/model/epoch.h", "hakmem/hakmem.h"),
                              ("harness/plugins/floor.c", "hakmem/hakmem.h"),
                              ("allocator/src/slab/slab.h", "model/epoch.h")):
            self.assert_one(self.violations(**{path: f'#include "{include}"\n'}), f"{path}:1:")

    def test_untracked_header(self):
        lines = self.violations(**{"allocator/src/slab/slab.h": '#include "slab/nowhere.h"\n'})
        self.assert_one(lines, "allocator/src/slab/slab.h:1:", "no tracked file")

    def test_folder_without_row(self):
        lines = self.violations(**{"allocator/src/attic/old.h": '#include "base/bits.h"\n'})
        self.assert_one(lines, "allocator/src/attic is not in scripts/lib/layers.txt")

    def test_environment_outside_config(self):
        text = "// getenv( is fine here\nint x = getenv(name);\n"
        lines = self.violations(**{"allocator/src/slab/slab.h": text})
        self.assert_one(lines, "allocator/src/slab/slab.h:2:", "environment")

    def test_switch_outside_its_homes(self):
        for switch in ("#if HAKMEM_FAST", "#ifdef HAKMEM_FAST", "# ifndef HAKMEM_FAST"):
            lines = self.violations(**{"allocator/src/slab/slab.h": f"{switch}\n#endif\n"})
            self.assert_one(lines, "allocator/src/slab/slab.h:1:", "#if only in")

    def test_large_file(self):
        lines = self.violations(**{"results/raw.csv": "x" * (check_includes.MAX_TRACKED_BYTES + 1)})
        self.assert_one(lines, "results/raw.csv:1:", "2097153 bytes")

    def test_link_to_nowhere(self):
        page = "# A page: `x` (1)\n[up](../docs/) [file](a.md) [web](https://x.y)\n```\n[code](no.md)\n```\n"
        own = "[here](#a-page-x-1) [there](a.md#a-page-x-1) [source](../allocator/src/base/bits.h)\n"
        self.assertEqual(self.violations(**{"docs/a.md": page, "docs/b.md": f"# A page: x (1)\n{own}"}), [])
        for link, part in (("gone.md", "no tracked file"), ("a.md#gone", "no heading"),
                           ("#gone", "no heading")):
            lines = self.violations(**{"docs/a.md": page, "docs/b.md": f"\n[a link]({link})\n"})
            self.assert_one(lines, "docs/b.md:2:", part)

    def test_table_with_unknown_folder(self):
        with self.assertRaisesRegex(ValueError, "allocator/src/attic"):
            check_includes.Layers("allocator/src/os allocator/src/attic\n")


if __name__ == "__main__":
    unittest.main()
