// SPDX-License-Identifier: GPL-2.0-only
/* context.c -- the module's: see there. */
#include "../context.c"
