/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench.h -- what bench.c compares, by name: bench_plain_ as it is, bench_counted_ with its
 * instructions counted.
 */
#ifndef HM_LINUX_BENCH_H
#define HM_LINUX_BENCH_H
#include <hardmap_port.h>

void bench_plain_in_section(hm_pte_t *entries, struct page **pages, unsigned int n,
			    uint64_t attributes);
void bench_plain_one_by_one(hm_pte_t *entries, struct page **pages, unsigned int n,
			    uint64_t attributes);
void bench_counted_in_section(hm_pte_t *entries, struct page **pages, unsigned int n,
			      uint64_t attributes);
void bench_counted_one_by_one(hm_pte_t *entries, struct page **pages, unsigned int n,
			      uint64_t attributes);
/* By the counted ones, since the last call: DSBs and ISBs. In probe_body.h. */
unsigned int bench_barriers(void);
#endif
