// SPDX-License-Identifier: GPL-2.0-only
/* probe_arm64.c -- the part of the probe that all arm64 ports share. */
#include "contract/probe_arm64.c"
