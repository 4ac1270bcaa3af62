# SPDX-License-Identifier: GPL-2.0
#
# What people type; "make help" lists it. What the kernel's build system reads
# is Kbuild. Everything is built under build/: the sources stay as they are.

KERNELRELEASE ?= $(shell uname -r)
KERNELDIR ?= /lib/modules/$(KERNELRELEASE)/build
PREFIX ?= /usr/local
DESTDIR ?=
DEPMOD ?= depmod
# Who may open /dev/iommukit besides root.
GROUP ?= root
LIBDIR ?= $(PREFIX)/lib
UDEVDIR ?= /etc/udev/rules.d
LOADDIR ?= /etc/modules-load.d

version := $(shell sed -n 's/^IOMMUKIT_VERSION := //p' Kbuild)
b := build

ifeq ($(V),1)
quiet = @:
Q =
else
quiet = @printf '  %-7s %s\n'
Q = @
MAKEFLAGS += --no-print-directory
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all help clean

all: modules tools

## Modules ##################################################################

# KERNEL=NAME is a kernel of the test box (scripts/run-vm), KERNELDIR any other.
# One directory per kernel, in which the sources are symbolic links: several
# kernels side by side, each incremental.
ifneq ($(KERNEL),)
modules-dir = $(b)/$(KERNEL)
else
modules-dir = $(b)/$(notdir $(patsubst %/build,%,$(abspath $(KERNELDIR))))
endif
# NO_EVENTS=y: nobody is told anything, to measure what it costs that somebody could be.
ifeq ($(NO_EVENTS),y)
modules-dir := $(modules-dir)-no-events
endif

# The test and bench modules belong in the test box, not on a user's machine.
test-modules = $(if $(KERNEL),CONFIG_IOMMUKIT_TEST=m)
# W=1, C=2 and V=1 reach kbuild by themselves. BTF of modules needs a vmlinux.
kbuild = $(MAKE) -C "$$kdir" M="$(abspath $(modules-dir))" $(test-modules) \
	CONFIG_DEBUG_INFO_BTF_MODULES= IOMMUKIT_NO_EVENTS=$(NO_EVENTS) $(KBUILD_ARGS)

.PHONY: modules modules-tree sparse
modules: modules-tree
	$(Q)+kdir=$$(scripts/kernel-dir "$(KERNEL)" "$(KERNELDIR)") && \
		$(kbuild) modules

modules-tree:
	$(Q)scripts/link-tree "$(modules-dir)" "$$(scripts/kernel-dir "$(KERNEL)" "$(KERNELDIR)")"

sparse:
	$(Q)$(MAKE) modules KERNEL=$(or $(KERNEL),6.1) C=2 CF="-Wsparse-error"

## User space ###############################################################

CXX ?= g++
CXXFLAGS ?= -O2 -g
# Not for the user to take away.
cxxflags = -std=c++20 -Wall -Wextra -Werror -MMD -MP -Iinclude/uapi -Itools/lib
# What was compiled before, in whichever clone, is not compiled again.
ccache := $(shell command -v ccache)
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1
pkgs := libkmod libnl-genl-3.0
pkg-cflags = $(shell pkg-config --cflags $(pkgs))
pkg-libs = $(shell pkg-config --libs $(pkgs))

objs = $(patsubst %.cpp,$(b)/obj/%.o,$(1))
lib-objs := $(call objs,$(wildcard tools/lib/*.cpp))
ctl-objs := $(call objs,$(wildcard tools/iommuctl/*.cpp))
bench-objs := $(call objs,$(wildcard tests/bench/*.cpp))
fuzz-objs := $(call objs,$(wildcard tests/fuzz/*.cpp))
# A driver in user space, for tests and for the demo.
edu-objs := $(call objs,tests/edu/edu.cpp)
# tests/guest/test_NAME.cpp is the program test-NAME; the rest is what they share.
test-srcs := $(wildcard tests/guest/test_*.cpp)
test-names := $(subst _,-,$(basename $(notdir $(test-srcs))))
test-shared := $(call objs,$(filter-out $(test-srcs),$(wildcard tests/guest/*.cpp)))

lib := $(b)/lib/libiommukit.a
ctl := $(if $(ctl-objs),$(b)/bin/iommuctl)
bench := $(if $(bench-objs),$(b)/bin/iommukit-bench)
fuzz := $(if $(fuzz-objs),$(b)/bin/iommukit-fuzz)
edu := $(b)/bin/iommukit-edu
# The tool's tests in the guest are scripts.
cli-tests := $(if $(wildcard tests/cli/guest-run),$(addprefix $(b)/bin/,test-cli test-cli-administration test-cli-devices test-cli-iotlb test-cli-ondemand test-cli-pci))
tests := $(test-names:%=$(b)/bin/%) $(cli-tests)

.PHONY: tools tests
tools: $(if $(lib-objs),$(lib)) $(ctl)
	@:
tests: $(tests) $(bench) $(fuzz) $(edu) prune-tests

# A program whose source is gone must not run on as a test.
.PHONY: prune-tests
prune-tests:
	$(Q)for f in $(b)/bin/test-*; do \
		case " $(tests) " in *" $$f "*) ;; *) rm -f "$$f" ;; esac; done

$(b)/obj/%.o: %.cpp $(b)/version
	$(quiet) CXX $<
	@mkdir -p $(@D)
	$(Q)$(ccache) $(CXX) $(cxxflags) $(pkg-cflags) -DIOMMUKIT_VERSION='"$(version)"' \
		$(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

$(lib): $(lib-objs)
	$(quiet) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

link = $(CXX) $(CXXFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $(filter %.o,$^) \
	$(filter %.a,$^) $(pkg-libs) -pthread $(LDLIBS)

$(b)/bin/iommuctl: $(ctl-objs) $(lib)
	$(quiet) LD $@
	@mkdir -p $(@D)
	$(Q)$(link)

$(b)/bin/iommukit-bench: $(bench-objs) $(lib)
	$(quiet) LD $@
	@mkdir -p $(@D)
	$(Q)$(link)

$(b)/bin/iommukit-fuzz: $(fuzz-objs) $(lib)
	$(quiet) LD $@
	@mkdir -p $(@D)
	$(Q)$(link)

$(b)/bin/iommukit-edu: $(call objs,tests/edu/main.cpp) $(edu-objs) $(lib)
	$(quiet) LD $@
	@mkdir -p $(@D)
	$(Q)$(link)

$(b)/bin/test-cli: tests/cli/guest-run $(b)/bin/cli-lib.sh
$(b)/bin/test-cli-administration: tests/cli/guest-administration $(b)/bin/cli-lib.sh
$(b)/bin/test-cli-devices: tests/cli/guest-devices $(b)/bin/cli-lib.sh
$(b)/bin/test-cli-iotlb: tests/cli/guest-iotlb $(b)/bin/cli-lib.sh
$(b)/bin/test-cli-ondemand: tests/cli/guest-ondemand $(b)/bin/cli-lib.sh
$(b)/bin/test-cli-pci: tests/cli/guest-pci $(b)/bin/cli-lib.sh
$(b)/bin/cli-lib.sh: tests/cli/guest-lib.sh
$(cli-tests) $(b)/bin/cli-lib.sh:
	$(quiet) CP $@
	@mkdir -p $(@D)
	$(Q)install -m 755 $< $@

define test-program
$(b)/bin/$(subst _,-,$(basename $(notdir $(1)))): $(call objs,$(1)) $(test-shared) $(edu-objs) $(lib)
	$$(quiet) LD $$@
	@mkdir -p $$(@D)
	$$(Q)$$(link)
endef
$(foreach src,$(test-srcs),$(eval $(call test-program,$(src))))

# Changes only when the version does: everything is compiled anew then.
$(b)/version: Kbuild
	@mkdir -p $(@D)
	@echo '$(version)' | cmp -s - $@ || echo '$(version)' >$@

-include $(shell find $(b)/obj -name '*.d' 2>/dev/null)

## Tests ####################################################################

.PHONY: headers-check check check-debug check-deb conformance fuzz demo bench style
headers-check:
	$(Q)tests/headers/run

check:
	$(Q)scripts/check

check-debug:
	$(Q)scripts/check-debug

check-deb:
	$(Q)scripts/check-deb

conformance:
	$(Q)scripts/conformance

fuzz:
	$(Q)scripts/fuzz

demo:
	$(Q)scripts/setup box build
	$(Q)$(MAKE) modules tools $(edu) KERNEL=$(or $(KERNEL),6.1)
	$(Q)KERNEL=$(or $(KERNEL),6.1) scripts/demo

bench:
	$(Q)scripts/setup box build
	$(Q)$(MAKE) modules $(bench) KERNEL=$(or $(KERNEL),uml-7.2)
	$(Q)$(MAKE) modules KERNEL=$(or $(KERNEL),uml-7.2) NO_EVENTS=y
	$(Q)scripts/bench

style:
	$(Q)scripts/style

export KERNEL TESTS TIME SEED CASE JSON

## Installation #############################################################

.PHONY: install install-files uninstall dkms-install deb
install install-files uninstall dkms-install:
	$(Q)KERNELDIR="$(KERNELDIR)" PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" GROUP="$(GROUP)" \
		LIBDIR="$(LIBDIR)" UDEVDIR="$(UDEVDIR)" LOADDIR="$(LOADDIR)" \
		DEPMOD="$(DEPMOD)" VERSION="$(version)" MODULES_DIR="$(modules-dir)" \
		scripts/install $@

# Debian packages, in build/deb.
deb:
	$(Q)scripts/setup deb
	$(Q)scripts/deb

## Rest #####################################################################

clean:
	$(Q)rm -rf $(b)

help:
	@scripts/help
