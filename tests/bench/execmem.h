/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * execmem.h -- what rox_cache.h is measured beside: a cache of executable memory as Linux' documentation and
 * comments describe its own, restated plainly from that description.
 *
 * USE      Define the hooks below, then include it, in one source file.
 *
 *          One list of what is free, by address; sizes are whole pages. The first that fits is taken, from
 *          its start. If none fits, an area of whole blocks is taken from the kernel, mapped executable and
 *          read-only, filled with traps. What is allocated becomes inexecutable, then writable; its owner
 *          writes, and makes it read-only and executable again. What is freed becomes writable, is filled
 *          with traps, becomes read-only and executable, and joins its neighbours. An area that is all free
 *          goes back to the kernel.
 *
 *          Where the description leaves a choice the cheaper one is made: what is adjacent to something free
 *          is found without a search, and only the search for what fits counts its steps.
 *
 *          Not restated: failures, what is freed later, areas that are no whole blocks, several ranges. */
#ifndef BENCH_EXECMEM_H
#define BENCH_EXECMEM_H
#include <stdbool.h>
#include <stdint.h>

#define EXECMEM_PAGE UINT64_C(4096)
#define EXECMEM_BLOCK 512u /* pages */

/* By page, each: number within the range of addresses. */
struct execmem {
	uint64_t pages; /* of the range */
	uint64_t *starts; /* a bit a page: something free starts there */
	uint32_t *free; /* pages of what is free, at its first page and its last one; else 0 */
	uint32_t *busy; /* pages of an allocation, at its first one */
	uint32_t *area; /* pages of an area, at its first one */
	uint64_t first; /* no word of starts before this has a bit */
	uint64_t steps; /* free areas that searches looked at */
};

enum execmem_permission { EXECMEM_NX, EXECMEM_RW, EXECMEM_ROX };

/* The hooks: that many blocks at consecutive addresses, mapped writable; the first page. An area does not
 * touch another. */
static inline bool execmem_port_memory(struct execmem *execmem, uint32_t blocks, uint64_t *page);
/* They are the kernel's, and as they came. */
static inline void execmem_port_give(struct execmem *execmem, uint64_t page, uint32_t blocks);
/* Of where it executes; and but for NX of its alias in the linear map. ROX joins what it can where it
 * executes. */
static inline void execmem_port_permission(struct execmem *execmem, uint64_t page, uint32_t pages,
					   enum execmem_permission permission);
static inline void execmem_port_traps(struct execmem *execmem, uint64_t page, uint32_t pages);

static inline uint32_t execmem_pages(uint64_t bytes)
{
	return (uint32_t)((bytes + EXECMEM_PAGE - 1) / EXECMEM_PAGE);
}

static inline void execmem_add(struct execmem *execmem, uint64_t page, uint32_t pages)
{
	execmem->starts[page / 64] |= UINT64_C(1) << page % 64;
	execmem->free[page] = execmem->free[page + pages - 1] = pages;
	if (page / 64 < execmem->first)
		execmem->first = page / 64;
}

static inline void execmem_remove(struct execmem *execmem, uint64_t page)
{
	const uint32_t pages = execmem->free[page];

	execmem->starts[page / 64] &= ~(UINT64_C(1) << page % 64);
	execmem->free[page] = execmem->free[page + pages - 1] = 0;
}

/* The first that has so many pages. */
static inline bool execmem_find(struct execmem *execmem, uint32_t pages, uint64_t *page)
{
	const uint64_t words = execmem->pages / 64;
	uint64_t word = execmem->first, bits;

	while (word < words && !execmem->starts[word])
		word++;
	for (execmem->first = word; word < words; word++) {
		for (bits = execmem->starts[word]; bits; bits &= bits - 1) {
			*page = word * 64 + (uint64_t)__builtin_ctzll(bits);
			execmem->steps++;
			if (execmem->free[*page] >= pages)
				return true;
		}
	}
	return false;
}

static inline bool execmem_populate(struct execmem *execmem, uint32_t pages)
{
	const uint32_t blocks = (pages + EXECMEM_BLOCK - 1) / EXECMEM_BLOCK;
	uint64_t page;

	if (!execmem_port_memory(execmem, blocks, &page))
		return false;
	execmem_port_traps(execmem, page, blocks * EXECMEM_BLOCK);
	execmem_port_permission(execmem, page, blocks * EXECMEM_BLOCK, EXECMEM_ROX);
	execmem->area[page] = blocks * EXECMEM_BLOCK;
	execmem_add(execmem, page, blocks * EXECMEM_BLOCK);
	return true;
}

/* Pages for so many bytes, not 0; writable until execmem_seal(). */
static inline bool execmem_alloc(struct execmem *execmem, uint64_t bytes, uint64_t *page)
{
	const uint32_t pages = execmem_pages(bytes);
	uint32_t left;

	if (!execmem_find(execmem, pages, page) &&
	    (!execmem_populate(execmem, pages) || !execmem_find(execmem, pages, page)))
		return false;
	left = execmem->free[*page] - pages;
	execmem_remove(execmem, *page);
	if (left)
		execmem_add(execmem, *page + pages, left);
	execmem->busy[*page] = pages;
	execmem_port_permission(execmem, *page, pages, EXECMEM_NX);
	execmem_port_permission(execmem, *page, pages, EXECMEM_RW);
	return true;
}

static inline void execmem_seal(struct execmem *execmem, uint64_t page)
{
	execmem_port_permission(execmem, page, execmem->busy[page], EXECMEM_ROX);
}

static inline void execmem_free(struct execmem *execmem, uint64_t page)
{
	uint32_t pages = execmem->busy[page];

	execmem_port_permission(execmem, page, pages, EXECMEM_RW);
	execmem_port_traps(execmem, page, pages);
	execmem_port_permission(execmem, page, pages, EXECMEM_ROX);
	execmem->busy[page] = 0;
	if (page + pages < execmem->pages && execmem->free[page + pages]) {
		const uint64_t after = page + pages;

		pages += execmem->free[after];
		execmem_remove(execmem, after);
	}
	if (page && execmem->free[page - 1]) {
		page -= execmem->free[page - 1];
		pages += execmem->free[page];
		execmem_remove(execmem, page);
	}
	if (execmem->area[page] == pages) {
		execmem->area[page] = 0;
		execmem_port_give(execmem, page, pages / EXECMEM_BLOCK);
	} else {
		execmem_add(execmem, page, pages);
	}
}
#endif
