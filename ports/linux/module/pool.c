// SPDX-License-Identifier: GPL-2.0-only
/* pool.c -- the module's: see there. */
#include "../pool.c"
