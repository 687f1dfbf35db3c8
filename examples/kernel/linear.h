/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * linear.h -- the linear map that the kernel runs on, split, changed and collapsed while it does.
 */
#ifndef KERNEL_LINEAR_H
#define KERNEL_LINEAR_H

#include <hardmap/direct_map.h>

/*
 * Draws the map; has that many threads read and write all over it; and meanwhile changes pages and
 * ranges, sees that the changes hold, takes them back, and joins all again. Where sizes cannot
 * change live it sees that this is refused. In a thread, while there are no others. Panics if
 * anything is not as it should be.
 */
void linear_demonstrate(unsigned int cpus);

/* What the map consists of, a line each; and what its columns are. */
void linear_print_header(void);
void linear_print_statistics(const char *what, const struct hm_direct_map_statistics *statistics);

#endif /* KERNEL_LINEAR_H */
