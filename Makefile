# Makefile - `make NAME` builds a target with CMake; `make help` says more.
#
# Boundary: forwards only; CMakePresets.json says how things are built. A bench is linked into this folder, where
# documents and scripts call it: ./bench_random_mixed_hakmem_minimal.
PRESET ?= release
build := build/$(PRESET)

.DEFAULT_GOAL := all
.PHONY: all test clean help FORCE
.NOTPARALLEL:
.SUFFIXES:

all: $(build)/build.ninja
	cmake --build --preset $(PRESET)

test: all
	ctest --preset $(PRESET)

clean:
	@if [ -f $(build)/build.ninja ]; then cmake --build --preset $(PRESET) --target clean; fi
	@find . -maxdepth 1 -type l -name 'bench_*' -delete

help:
	@echo 'make            build everything (into $(build))'
	@echo 'make NAME       build one target; a bench is then here, as ./NAME'
	@echo 'make test       build everything and run the tests; scripts/test.sh does more'
	@echo 'make clean      take away what was built'
	@echo 'PRESET=NAME     another preset of CMakePresets.json than release'

$(build)/build.ninja:
	cmake --preset $(PRESET)

# Any other name is a target of CMake's, also where a folder has that name. FORCE never exists, so it is always
# asked for.
%: FORCE $(build)/build.ninja
	@cmake --build --preset $(PRESET) --target $@
	@case $@ in bench_*) ln -sfn $(build)/bin/$@ $@ ;; esac

Makefile: ;
