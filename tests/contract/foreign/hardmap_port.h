/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- a port for an architecture that exists only here, as unlike arm64 as the
 * contract allows: three levels of 32 entries, pages of 1 KiB, descriptors whose fields lie
 * elsewhere, compare-and-swap by hand, a key register that says what is forbidden. It shows that the
 * headers assume no architecture, and is the contract suite's plainest port.
 */
#ifndef FOREIGN_HARDMAP_PORT_H
#define FOREIGN_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY

#define HM_PORT_PGTABLE_LEVELS 3
#define HM_PORT_PGTABLE_ENTRIES 32
#define HM_PORT_PGTABLE_BLOCK_LEVEL 2

#define FOREIGN_PAGE_BYTES UINT64_C(1024)
#define FOREIGN_VALID (UINT64_C(1) << 63)
#define FOREIGN_USER (UINT64_C(1) << 62)
#define FOREIGN_WRITE (UINT64_C(1) << 61)
#define FOREIGN_TABLE (UINT64_C(1) << 60)
#define FOREIGN_LEAF (UINT64_C(1) << 59) /* so that no leaf is 0 */
#define FOREIGN_EXECUTE (UINT64_C(1) << 58)
#define FOREIGN_GROUP (UINT64_C(1) << 57) /* contiguous */
#define FOREIGN_KEEP_SMALL (UINT64_C(1) << 56) /* software's */
#define FOREIGN_KEY(key) ((uint64_t)(key) << 52)
#define FOREIGN_FRAME ((UINT64_C(1) << 52) - 1) /* page number, or the table's address */

struct foreign {
	struct hm_context *context;
	hm_pte_t *root;
	unsigned int key_style; /* for HM_KEY_STYLE_RUN_TIME */
	uint64_t forbidden; /* the key register: per key bit 0 no access, bit 1 no write */
	/* For direct_map.h, as struct hm_hosted has them. */
	unsigned int bbm_level;
	int break_answer;
	unsigned int breaks, mends, tables_left, tables_out;
	unsigned int publish, sync, switched, order, stores, key_writes, keyed_orders, bugs;
	/* Keyed stores are ordered after all that was; some are not ordered before what comes. */
	bool begun, stored;
};
extern struct foreign foreign;

bool foreign_alloc_table(hm_pa_t *table);
void foreign_free_table(hm_pa_t table);

#define HM_BUG(message) ((void)(message), foreign.bugs++)

static inline struct hm_context *hm_port_context(void)
{
	return foreign.context;
}

static inline void hm_port_context_publish(void)
{
	foreign.publish++;
	foreign.stored = false;
}

static inline void hm_port_context_sync(void)
{
	foreign.sync++;
}

static inline void hm_port_context_switch(void)
{
	foreign.switched++;
	foreign.stored = foreign.begun = false;
}

static inline void hm_port_keyed_begin(void)
{
	foreign.keyed_orders++;
	foreign.begun = true;
}

static inline void hm_port_keyed_end(void)
{
	foreign.keyed_orders++;
	foreign.stored = false;
}

#ifdef FOREIGN_KEY_STYLE /* the build's choice */
#define HM_PORT_KEY_STYLE FOREIGN_KEY_STYLE
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
static inline unsigned int hm_port_key_style(void)
{
	return HM_PORT_KEY_STYLE ? HM_PORT_KEY_STYLE : foreign.key_style;
}

#define HM_PORT_KPKEYS 16
#define FOREIGN_KEY_(permissions, key)                                                     \
	((uint64_t)(((permissions) >> (4 * (key)) & HM_KEY_READ) ? 0 : 1) << (2 * (key)) | \
	 (uint64_t)(((permissions) >> (4 * (key)) & HM_KEY_WRITE) ? 0 : 2) << (2 * (key)))
#define FOREIGN_KEYS_(permissions, key)                                          \
	(FOREIGN_KEY_(permissions, key) | FOREIGN_KEY_(permissions, (key) + 1) | \
	 FOREIGN_KEY_(permissions, (key) + 2) | FOREIGN_KEY_(permissions, (key) + 3))
#define HM_PORT_KPKEYS_REGISTER(permissions)                             \
	(FOREIGN_KEYS_(permissions, 0) | FOREIGN_KEYS_(permissions, 4) | \
	 FOREIGN_KEYS_(permissions, 8) | FOREIGN_KEYS_(permissions, 12))
#define HM_PORT_KPKEYS_BASE HM_KEY_ALLOW(15, HM_KEY_READ)
#define HM_PORT_KPKEYS_LEVELS(LEVEL) LEVEL(7, HM_KEY_ALLOW(15, HM_KEY_WRITE))

static inline uint64_t hm_port_kpkeys_read(void)
{
	return foreign.forbidden;
}

static inline void hm_port_kpkeys_write(uint64_t value)
{
	foreign.forbidden = value;
	foreign.key_writes++;
}

/* The syndrome is the reason. */
static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t syndrome, uint64_t entry)
{
	return entry ? (enum hm_kpkeys_fault)syndrome : HM_KPKEYS_FAULT_NOT_MAPPED;
}

/* A store to a table: a bug where its key is closed, or only keyed stores write it. */
static inline void foreign_store(hm_pte_t *ptep, hm_pte_t pte)
{
	if (hm_port_key_style() == HM_KEY_STYLE_STORE ||
	    (hm_port_key_style() == HM_KEY_STYLE_WINDOW &&
	     (foreign.forbidden >> 2 * HM_KEY_PGTABLES & 3)))
		foreign.bugs++;
	foreign.stores++;
	*ptep = pte;
}

/* A bug where it is the wrong one, or what was loaded before is not before it. */
static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
	if (hm_port_key_style() != HM_KEY_STYLE_STORE || !foreign.begun)
		foreign.bugs++;
	foreign.stored = true;
	foreign.stores++;
	*ptep = pte;
}

/* A bug where it may miss a keyed store. */
static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
	if (foreign.stored)
		foreign.bugs++;
	foreign.begun = false;
	return *ptep;
}

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	foreign_store(ptep, pte);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_port_pte_store(ptep + 1, second);
	hm_port_pte_store(ptep, first);
	return ptep + 2;
}

static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
	hm_pte_t found = *ptep;

	if (found.val == expected.val)
		hm_port_pte_store(ptep, desired);
	return found;
}

static inline void hm_port_pgtable_order_fill(void)
{
	foreign.order++;
}

static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
	return pte.val & FOREIGN_VALID;
}

static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
	return pte.val & FOREIGN_USER;
}

static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
	return level && (pte.val & FOREIGN_TABLE);
}

static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
	const hm_pa_t pa = { pte.val & FOREIGN_FRAME };

	return pa;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return foreign.root;
}

static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
	return (unsigned int)(va.val >> (10 + 5 * level)) & (HM_PORT_PGTABLE_ENTRIES - 1);
}

static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
	return 10 + 5 * level;
}

static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
	return access == HM_ACCESS_READ || (access == HM_ACCESS_WRITE && (pte.val & FOREIGN_WRITE));
}

static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	(void)va;
	(void)bytes;
	(void)what;
	foreign.stored = false;
}

/* ---- direct_map.h: blocks at both upper levels, groups of four at the lower two ---- */

static inline bool hm_port_leaf_decode(hm_pte_t pte, unsigned int level, struct hm_leaf *leaf)
{
	const uint64_t how = pte.val & (FOREIGN_VALID | FOREIGN_WRITE | FOREIGN_EXECUTE);

	(void)level;
	if (!(pte.val & FOREIGN_LEAF) || (pte.val & (FOREIGN_USER | FOREIGN_TABLE)))
		return false;
	leaf->pa.val = (pte.val & FOREIGN_FRAME) * FOREIGN_PAGE_BYTES;
	leaf->other = 0;
	leaf->key = (unsigned int)(pte.val >> 52 & 15);
	leaf->contiguous = pte.val & FOREIGN_GROUP;
	leaf->keep_small = pte.val & FOREIGN_KEEP_SMALL;
	leaf->permission = how == (FOREIGN_VALID | FOREIGN_WRITE)     ? HM_PERMISSION_RW
			   : how == (FOREIGN_VALID | FOREIGN_EXECUTE) ? HM_PERMISSION_ROX
			   : how == FOREIGN_VALID                     ? HM_PERMISSION_RO
								      : HM_PERMISSION_INVALID;
	return !how || leaf->permission != HM_PERMISSION_INVALID;
}

static inline hm_pte_t hm_port_leaf_encode(const struct hm_leaf *leaf, unsigned int level)
{
	static const uint64_t how[] = { FOREIGN_VALID | FOREIGN_WRITE, FOREIGN_VALID,
					FOREIGN_VALID | FOREIGN_EXECUTE, 0 };
	hm_pte_t pte = { 0 };

	if (level > HM_PORT_PGTABLE_BLOCK_LEVEL || leaf->key > 15 ||
	    leaf->permission > HM_PERMISSION_INVALID ||
	    leaf->pa.val / FOREIGN_PAGE_BYTES > FOREIGN_FRAME ||
	    (leaf->pa.val & ((UINT64_C(1) << hm_port_pgtable_shift(level)) - 1)))
		return pte;
	pte.val = leaf->pa.val / FOREIGN_PAGE_BYTES | FOREIGN_KEY(leaf->key) |
		  how[leaf->permission] | FOREIGN_LEAF | (leaf->contiguous ? FOREIGN_GROUP : 0) |
		  (leaf->keep_small ? FOREIGN_KEEP_SMALL : 0);
	return pte;
}

static inline unsigned int hm_port_leaf_group(unsigned int level)
{
	return level < 2 ? 4 : 1;
}

static inline hm_pte_t hm_port_pte_link(hm_pa_t table)
{
	const hm_pte_t pte = { table.val | FOREIGN_VALID | FOREIGN_TABLE };

	return pte;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return foreign_alloc_table(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	foreign_free_table(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return foreign.bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	foreign.breaks++;
	return foreign.break_answer;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	foreign.mends++;
}

/* ---- pgtable_pool.h: small blocks, and the kernel of tests/contract/pool_kernel.c ---- */

#define HM_PORT_PGTABLE_POOL_ORDER 3
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#define HM_PORT_PGTABLE_POOL_MAGAZINE 8
#endif
#define HM_PORT_PGTABLE_POOL_TABLES 2
#ifndef HM_PORT_PGTABLE_POOL_LOCKED
#define HM_PORT_PGTABLE_POOL_LOCKED 1
#endif
hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages);
void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n);
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables);
void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block);
bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool);
unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool);
struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu);
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool);

/* ---- rox_cache.h: small blocks, and the kernel of tests/contract/rox_kernel.c, which has caches too ---- */

#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 13
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0xf1f2f3f4f5f6f7f8)
bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code);
void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block);
hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code);
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias);
int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable);
bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache);
struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache);
void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range);
void hm_port_rox_cache_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_unlock(struct hm_rox_cache *cache);
bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache);
bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache);
void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes);
void hm_port_code_invalidate(hm_va_t code, uint64_t bytes);
void hm_port_code_patch(uint32_t *alias, uint32_t instruction);
#endif
