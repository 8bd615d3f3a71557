"""Install hakmem into a temporary folder, move it, and use it as a stranger's project would.

Standard library only, and runs under any python3. Writes into its temporary folder only; CMake leaves
its list of installed files (install_manifest_hakmem.txt) in the build folder.
Exit codes: 0 pass, 1 own trouble, 2 a failure, 77 pkg-config is not on this machine.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
FAILED = 2
PATIENCE_S = 120
CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"
REPLACES = CONSUMER.parents[1] / "preload" / "replaces.cc"


class Failure(Exception):
    """What was installed cannot be used as promised."""


def run(command, **environment):
    """Run `command`; returns what it printed."""
    done = subprocess.run([str(part) for part in command], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} ended with {done.returncode}\n"
                      f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def install(options, directory):
    """An installed tree that is not where it was installed to; returns its prefix and its libraries."""
    run([options.cmake, "--install", options.build, "--prefix", directory / "first",
         "--component", "hakmem"])
    prefix = directory / "then here"
    (directory / "first").rename(prefix)
    libraries = [path for path in prefix.rglob("libhakmem.so") if path.is_symlink()]
    if len(libraries) != 1:
        raise Failure(f"{len(libraries)} links libhakmem.so were installed, not one")
    return prefix, libraries[0].parent


def expect_origin(program, origin, **environment):
    """`program` prints the file that its allocation functions come from."""
    for line in run([program], **environment).splitlines():
        found = line.split(" ", 1)[-1] if " /" in line and not line.startswith("/") else line
        if os.path.realpath(found) != os.path.realpath(origin):
            raise Failure(f"{program}: {line}: not from {origin}")


def case_cmake(options, directory):
    """find_package(hakmem 0.1) in a C project, then in one with C++ too."""
    prefix, libdir = install(options, directory)
    for cxx in ("OFF", "ON"):
        build = directory / f"build-{cxx}"
        run([options.cmake, "-S", CONSUMER, "-B", build, "-G", options.generator, f"-DWITH_CXX={cxx}",
             f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={options.cc}",
             f"-DCMAKE_CXX_COMPILER={options.cxx}", "-DCMAKE_BUILD_TYPE=Debug"])
        run([options.cmake, "--build", build])
        for language in ("c", "cxx") if cxx == "ON" else ("c",):
            expect_origin(build / f"{language}_shared", libdir / "libhakmem.so")
            expect_origin(build / f"{language}_static", build / f"{language}_static")
        for kind in ("shared", "static"):
            program = (build / f"c_{kind}").read_bytes()
            if b"libstdc++" in program or b"libgcc_s" in program:
                raise Failure(f"c_{kind}, a C program, needs the C++ run-time")


def case_pkgconfig(options, directory):
    """pkg-config --cflags --libs, and the archive by its path."""
    pkg_config = shutil.which("pkg-config")
    if pkg_config is None:
        print("skipped: pkg-config is not installed (package pkgconf)")
        sys.exit(SKIPPED)
    prefix, libdir = install(options, directory)
    environment = {"PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    run([pkg_config, "--exact-version=" + options.version, "hakmem"], **environment)

    def flags(what):
        # The prefix has a space in it, which pkg-config escapes.
        text = run([pkg_config, what, "hakmem"], **environment).strip()
        return [part.replace("\0", " ") for part in text.replace("\\ ", "\0").split()]

    for language, compiler in (("c", options.cc), ("cc", options.cxx)):
        source = CONSUMER / f"consumer.{language}"
        program = directory / f"shared-{language}"
        run([compiler, *flags("--cflags"), source, "-o", program, *flags("--libs")])
        expect_origin(program, libdir / "libhakmem.so", LD_LIBRARY_PATH=str(libdir))
        program = directory / f"archive-{language}"
        run([compiler, *flags("--cflags"), source, "-o", program, libdir / "libhakmem.a"])
        expect_origin(program, program)
    # The linker takes no more of the C++ runtime's archive than the program asks for.
    program = directory / "refused"
    run([options.cxx, "-static-libstdc++", CONSUMER / "refused.cc", "-o", program, libdir / "libhakmem.a"])
    if run([program]) != "bad_alloc\n":
        raise Failure(f"{program}: new without memory threw no bad_alloc")
    # A program with some operators new and delete of its own takes the others from the archive.
    said = {}
    for kind, archive in (("alone", []), ("with the archive", [libdir / "libhakmem.a"])):
        program = directory / f"replaces-{kind.split()[0]}"
        run([options.cxx, "-fsized-deallocation", "-Wno-sized-deallocation", REPLACES, "-o", program,
             *archive])
        said[kind] = run([program])
    if said["alone"] != said["with the archive"]:
        raise Failure(f"replaces.cc says otherwise with libhakmem.a: {said}")
    # As the linkers of several distributions work: what is not called is left out.
    program = directory / "no-malloc"
    run([options.cc, "-Wl,--as-needed", CONSUMER / "no_malloc.c", "-o", program, *flags("--libs")])
    expect_origin(program, libdir / "libhakmem.so", LD_LIBRARY_PATH=str(libdir))
    program = directory / "link-time-optimised"
    run([options.cc, "-flto", *flags("--cflags"), CONSUMER / "consumer.c", "-o", program,
         "-Wl,--undefined=malloc", libdir / "libhakmem.a"])
    expect_origin(program, program)


def case_preload(options, directory):
    """LD_PRELOAD of the installed library, in a program that knows nothing of it."""
    # ld.so takes a space for the end of a library's name.
    _, libdir = install(options, directory)
    shutil.copy(libdir / "libhakmem.so", directory / "libhakmem.so")
    expect_origin(options.probe, directory / "libhakmem.so", LD_PRELOAD=str(directory / "libhakmem.so"))


def case_hakbench(options, directory):
    """hakbench with its plugins, profiles, libraries and tools, away from the build and the sources."""
    run([options.cmake, "--install", options.build, "--prefix", directory / "first",
         "--component", "hakbench"])
    prefix = directory / "moved"
    (directory / "first").rename(prefix)
    hakbench, folder = prefix / "bin" / "hakbench", directory / "run"
    other_build = directory / "other" / "hakbench-report"  # of a build tree, say
    other_build.parent.mkdir()
    other_build.write_text("#!/bin/sh\necho 'the report of another build'\n")
    other_build.chmod(0o755)

    def hakbench_does(*words):
        return run([hakbench, *words], PATH=f"{other_build.parent}:/usr/bin:/bin")

    said = hakbench_does("ab", "--a", "hakmem", "--b", "glibc", "--profile", "quick", "--epoch", "5ms",
                         "--launches", "2", "--blocks", "3", "-o", folder)
    if f"report: {folder}/report.md" not in said:
        raise Failure(f"hakbench ab made no report: {said}")
    hakbench_does("app", "-a", "hakmem", "-a", "glibc", "--blocks", "1", "-o", directory / "app",
                  "--", "/bin/ls")
    hakbench_does("record", "-o", directory / "ls.trace", "--", "/bin/ls", "/")
    hakbench_does("ledger", "--", "/bin/true")
    hakbench_does("micro", "-a", "hakmem", "--filter", "malloc_free/size:16$", "--min-time", "0.01",
                  "-o", directory / "micro")
    if "HAKMEM_DEPOT_KB" not in hakbench_does("list", "gates"):
        raise Failure("hakbench list gates names no HAKMEM_DEPOT_KB")
    for path in prefix.rglob("*"):
        text = path.read_bytes() if path.is_file() and path.suffix in (".py", ".sh", "") else b""
        if path.parent.name == "hakmem" and str(options.build).encode() in text and text[:2] == b"#!":
            raise Failure(f"{path} names the build folder")


CASES = {name[len("case_"):]: function
         for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=sorted(CASES))
    for name, what in (("cmake", "path of cmake"), ("build", "build folder to install from"),
                       ("generator", "CMake's generator"), ("cc", "C compiler"), ("cxx", "C++ compiler"),
                       ("version", "the version installed"), ("probe", "path of hakmem_preload_probe")):
        parser.add_argument(f"--{name}", required=True, help=what)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hakmem-install-") as directory:
        try:
            CASES[options.case](options, pathlib.Path(directory))
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(f"{options.case}: {failure}", file=sys.stderr)
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
