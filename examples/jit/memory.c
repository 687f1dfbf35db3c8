/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * memory.c -- the file of which code consists. Block by block it is mapped where code executes, and all of it
 * once where it is written.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create(), fallocate() */
#endif
#include <hardmap/rox_cache.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define BYTES (JIT_BLOCKS * BLOCK)

unsigned int jit_page_shift;

static int file;
static uint64_t code_start; /* addresses, a multiple of a block */
static unsigned char *alias_start;
static bool used[JIT_BLOCKS];
static bool window; /* is open */

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(void *where, uint64_t bytes, int protection, int flags, off_t offset)
{
	return mmap(where, bytes, protection, flags, flags & MAP_ANONYMOUS ? -1 : file, offset);
}

void jit_start(hm_va_t *first, hm_va_t *last)
{
	void *code, *alias;

	while ((1l << jit_page_shift) < sysconf(_SC_PAGESIZE))
		jit_page_shift++;
	file = memfd_create("code", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, BYTES))
		give_up("memfd_create");
	code = map(NULL, BYTES + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0);
	alias = map(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (code == MAP_FAILED || alias == MAP_FAILED)
		give_up("mmap");
	code_start = ((uintptr_t)code + BLOCK - 1) & ~(BLOCK - 1);
	alias_start = (unsigned char *)alias;
	first->val = code_start;
	last->val = code_start + BYTES - 1;
}

static uint64_t offset_of(hm_va_t code)
{
	return code.val - code_start;
}

/* Whether n places from that one on are the arena's, and free. */
static bool are_free(const struct hm_rox_cache_arena *arena, unsigned int first, unsigned int n)
{
	const uint64_t start = code_start + first * BLOCK;
	unsigned int i;

	if (start < arena->first.val || start + n * BLOCK - 1 > arena->last.val)
		return false;
	for (i = first; i < first + n; i++)
		if (i >= JIT_BLOCKS || used[i])
			return false;
	return true;
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int n, hm_va_t *blocks)
{
	unsigned int first = blocks->val ? (unsigned int)(offset_of(*blocks) / BLOCK) : 0, i;

	(void)cache;
	while (!blocks->val && first < JIT_BLOCKS && !are_free(arena, first, n))
		first++;
	if (!are_free(arena, first, n))
		return false;
	for (i = first; i < first + n; i++)
		used[i] = true;
	blocks->val = code_start + first * BLOCK;
	return true;
}

/* The host may have the memory for other things. */
void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	(void)cache;
	used[offset_of(block) / BLOCK] = false;
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset_of(block),
		      BLOCK))
		perror("fallocate");
}

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	(void)cache;
	return (hm_pte_t *)(void *)(alias_start + offset_of(code));
}

int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const int protection = alias == HM_ROX_CACHE_CLOSED ? PROT_READ : PROT_READ | PROT_WRITE;

	return mprotect(hm_port_rox_cache_at(cache, code), bytes, protection) ? -errno : 0;
}

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	void *where = (void *)block.val, *mapped;

	(void)cache;
	if (executable)
		mapped = map(where, BLOCK, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
			     (off_t)offset_of(block));
	else
		mapped = map(where, BLOCK, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, 0);
	return mapped == MAP_FAILED ? -errno : 0;
}

/* On x86-64 there is nothing to do. */
void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
#ifdef JIT_EMULATED
	/* QEMU before 8.1 does nothing at IC IVAU in user mode, and sees no store by another address: it
	 * drops what it has translated when pages are mapped. */
	const uint64_t page = UINT64_C(1) << jit_page_shift;
	const hm_va_t first = { code.val & ~(page - 1) };

	if (map((void *)first.val, (code.val + bytes - first.val + page - 1) & ~(page - 1),
		PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
		(off_t)offset_of(first)) == MAP_FAILED)
		give_up("mmap");
#endif
	__builtin___clear_cache((char *)code.val, (char *)(code.val + bytes));
}

bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	const bool taken = !window;

	(void)cache;
	window = true;
	return taken;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	window = false;
}

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	(void)cache;
	return (struct hm_rox_cache_range *)malloc(sizeof(struct hm_rox_cache_range));
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	(void)cache;
	free(range);
}
