/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable.h -- the architecture's hooks of <hardmap/pgtable.h>, to be filled in. Levels are counted from the
 * leaves: 0 is the table whose entries map pages.
 */
#ifndef TEMPLATE_PGTABLE_H
#define TEMPLATE_PGTABLE_H

/* The levels of a full walk, 1 to 5. arm64 with 4K pages and 48-bit addresses: 4. */
#error "HM_PORT_PGTABLE_LEVELS: define it here"

/* The entries of a table, a power of two. A table is aligned to its size. arm64 with 4K pages: 512. */
#error "HM_PORT_PGTABLE_ENTRIES: define it here"

/* ---- access: each entry in one access of 64 bits, neither torn, merged nor repeated. The level around
 * stores is one that may write tables: a hook opens no key ---- */

/* arm64: LDR, in C a volatile load. */
static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
#error "hm_port_pte_load: return the entry"
}

/* arm64: STR, in C a volatile store. */
static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
#error "hm_port_pte_store: write the entry"
}

/* Two consecutive entries in any order; the address after them. Two stores will do. arm64: STP. */
static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
#error "hm_port_pte_store_pair: write both entries, return ptep + 2"
}

/* Writes desired if the entry is still as expected; what was found, either way. Atomic also against the
 * walker's own updates. Must not fail spuriously: who finds expected takes it for written. arm64: CAS, or
 * LDXR and STXR in a loop. */
static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
#error "hm_port_pte_compare_exchange: compare and swap, return what was found"
}

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_STORE
/* The store that a table takes in style STORE, which is not called in another. Order is not its business.
 * arm64: GCSSTR. */
static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
#error "hm_port_pte_store_keyed: write the entry by the instruction that may"
}
#endif

/* Between filling a table and linking it: a walker that sees the link sees the fill. arm64: DMB ISHST. */
static inline void hm_port_pgtable_order_fill(void)
{
#error "hm_port_pgtable_order_fill: the fill is visible no later than the link"
}

/* ---- format: pure functions of the entry ---- */

/* Whether a walker may use it, for anybody. False for 0. arm64: bit 0. */
static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
#error "hm_port_pte_is_valid: say whether walkers may use the entry"
}

/* Of a valid entry: whether user mode can use what it maps. Such an entry is not published. False for a
 * link, whatever is below, and when in doubt: an entry taken for the kernel's only costs a barrier.
 * arm64: AP[1], ignored and 0 in a link. */
static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
#error "hm_port_pte_is_user: say whether the page or block is for user mode too"
}

/* Of a valid entry of that level: whether it links a table; never at level 0. arm64: bit 1 above level 0. */
static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
#error "hm_port_pte_is_table: say whether the entry links a table"
}

/* Of an entry that links a table: where that is. arm64: bits 47:12. */
static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
#error "hm_port_pte_table: return the physical address of the linked table"
}

/* The index of the address in a table of that level, below HM_PORT_PGTABLE_ENTRIES. arm64 with 4K pages:
 * nine bits from bit 12 + 9 * level. */
static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
#error "hm_port_pgtable_index: return the address's index at that level"
}

/* log2 of the bytes that an entry of a level translates. arm64 with 4K pages: 12 + 9 * level. */
static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
#error "hm_port_pgtable_shift: return log2 of the bytes that an entry of that level translates"
}

/* Of a valid page or block: whether hardware lets the kernel do it. A yes where hardware refuses makes the
 * fault handler repeat the access for ever; a no where it allows makes a late walker fatal. arm64: AF for
 * all, AP[2] clear for writes, PXN clear for execution. */
static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
#error "hm_port_pte_permits: say whether the entry lets the kernel do that"
}

/* ---- invalidation ---- */

/* Earlier table stores first; then all CPUs forget [va, va + bytes), in all address spaces, and for
 * HM_INVALIDATE_TABLES the walk caches on the way; it returns when they have, and when accesses by the old
 * translations are over. More than was asked is allowed. arm64: DSB ISHST; TLBI VAALE1IS or VAAE1IS (or
 * their range forms, or VMALLE1IS); DSB ISH; ISB. */
static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
#error "hm_port_pgtable_invalidate: no CPU uses what it cached of the range"
}
#endif
