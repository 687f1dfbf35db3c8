/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * direct_map.h -- the architecture's hooks of <hardmap/direct_map.h>, to be filled in. Levels are counted
 * from the leaves: 0 maps pages. */
#ifndef TEMPLATE_DIRECT_MAP_H
#define TEMPLATE_DIRECT_MAP_H

/* The highest level whose entries may be blocks; 0 if only pages exist. arm64 with 4K pages: 2, of 1G. */
#error "HM_PORT_PGTABLE_BLOCK_LEVEL: define it here"

/* Of an entry, not 0, of that level that is no link: what it says, or false if it says more than struct
 * hm_leaf can (user mode, writable and executable, no such level). An invalid entry keeps address, key and
 * all that goes into other. What is in no other field goes there: memory type, shareability, the kernel's
 * own bits. */
static inline bool hm_port_leaf_decode(hm_pte_t pte, unsigned int level, struct hm_leaf *leaf)
{
#error "hm_port_leaf_decode: take the entry apart"
}

/* The reverse; 0 where there is no such entry: no blocks of that level, memory not aligned to its size, no
 * such key, a permission that is a request only. Never 0 otherwise, for an invalid entry at address 0
 * either. */
static inline hm_pte_t hm_port_leaf_encode(const struct hm_leaf *leaf, unsigned int level)
{
#error "hm_port_leaf_encode: put the entry together"
}

/* How many entries of that level may be one contiguous group, 1 if the architecture has none. arm64 with
 * 4K pages: 16 at each level. */
static inline unsigned int hm_port_leaf_group(unsigned int level)
{
#error "hm_port_leaf_group: return the entries of a contiguous group"
}

/* The entry that links a table and forbids nothing. arm64: address, valid, table; no hierarchical
 * permissions. */
static inline hm_pte_t hm_port_pte_link(hm_pa_t table)
{
#error "hm_port_pte_link: return the entry that links the table"
}

/* What hardware promises of an entry whose size changes while it is in use, on all CPUs: 3, nothing
 * happens; less, the entry has to be invalid between. 0 where nothing is promised or not yet known. arm64:
 * bbml2.h. */
static inline unsigned int hm_port_bbm_level(void)
{
#error "hm_port_bbm_level: return the level of the whole system"
}
#endif
