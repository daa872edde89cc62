# SPDX-License-Identifier: Apache-2.0
# The verbs of ./run under the names that make users expect.
PREFIX ?= /usr/local
DESTDIR ?=

all: build

build demo check check-bare bench firmware:
	./run $@

check-long:
	./run check --long

fit:
	./run fit --from $(FROM)

install: build
	meson configure build -Dprefix=$(PREFIX)
	ninja -C build
	DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

clean:
	rm -rf build build-asan build-clang build-tsan build-valgrind build-fuzz

.PHONY: all build demo check check-bare check-long bench firmware fit install clean
