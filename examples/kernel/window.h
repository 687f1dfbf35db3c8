/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * window.h -- the window: slots of kernel address space, 2 MiB with 4K pages, each mapped by one
 * table of pages, and the memory that they map: WINDOW_FRAMES pages, each stamped with its number
 * so that a wrong translation shows.
 */
#ifndef KERNEL_WINDOW_H
#define KERNEL_WINDOW_H

#include <stdbool.h>

#include <hardmap/pgtable.h>

#define WINDOW_FRAMES 512
#define WINDOW_SLOT_BYTES ((uint64_t)HM_PORT_PGTABLE_ENTRIES << PAGE_SHIFT)

/* Once, before there are threads: the frames, and the tables above the slots. */
void window_init(void);

/* A slot that nobody uses, panics if there is none; and back. Any thread. */
unsigned int window_slot_alloc(void);
void window_slot_free(unsigned int slot);

/* Where slot's page `index` is in the address space. */
hm_va_t window_va(unsigned int slot, unsigned int index);

/* The entry of level 1 that links the table of a slot. */
hm_pte_t *window_link_entry(unsigned int slot);

/* The page entry that maps a frame, read-write. */
hm_pte_t window_page(unsigned int frame);

/* Whether the address, mapped by this CPU just now, leads to that frame. */
bool window_leads_to(hm_va_t va, unsigned int frame);

#endif /* KERNEL_WINDOW_H */
