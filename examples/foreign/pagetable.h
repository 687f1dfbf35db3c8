/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pagetable.h -- the page tables of another kernel: four levels, 4K pages, kernel addresses.
 */
#ifndef FOREIGN_PAGETABLE_H
#define FOREIGN_PAGETABLE_H
#include <stdint.h>

extern uint64_t kernel_root; /* physical, as all below */
uint64_t alloc_table(void); /* the kernel's: a zeroed page */

/* This CPU may use va when it returns. */
void pt_map_page(uint64_t va, uint64_t pa);
/* No CPU uses va when it returns. Returns the page that was there. */
uint64_t pt_unmap_page(uint64_t va);
#endif
