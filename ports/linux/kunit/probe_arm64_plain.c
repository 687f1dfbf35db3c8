// SPDX-License-Identifier: GPL-2.0-only
/* probe_arm64_plain.c -- the part of the probe that all arm64 ports share, for suites without keys. */
#include "contract/probe_arm64.c"
