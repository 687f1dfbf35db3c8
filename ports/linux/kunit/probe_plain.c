// SPDX-License-Identifier: GPL-2.0-only
/* probe_plain.c -- the probe of suites without keys (plain.h), with the hooks of direct_map.h:
 * they do what they are told. */
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "probe_body.h"

struct hm_linux_suite_direct_map hm_linux_suite_direct_map;
static hm_pte_t tables[TABLES][HM_PORT_PGTABLE_ENTRIES] __aligned(PAGE_SIZE);
static LIST_HEAD(lent); /* tables */

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return tables[number];
}

hm_pa_t probe_arm64_pa(const void *object)
{
	return (hm_pa_t){ HM_LINUX_SUITE_PA(object) };
}

int suite_kunit_init(struct kunit *test)
{
	return 0;
}

void suite_kunit_exit(struct kunit *test)
{
}

/* ---- the hooks of direct_map.h ---- */

static void take_back(struct page *page)
{
	list_del(&page->lru);
	__free_page(page);
}

static void probe_tables_reset(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &lent, lru) take_back(page);
	hm_linux_suite_direct_map = (struct hm_linux_suite_direct_map){
		.bbm_level = 3,
		.tables_left = UINT_MAX,
	};
}

bool hm_linux_suite_table_alloc(hm_pa_t *table)
{
	struct page *page = hm_linux_suite_direct_map.tables_left ? alloc_page(GFP_ATOMIC) : NULL;

	if (!page)
		return false;
	list_add(&page->lru, &lent);
	memset(page_address(page), 0xff, PAGE_SIZE);
	hm_linux_suite_direct_map.tables_left--;
	hm_linux_suite_direct_map.tables_out++;
	table->val = HM_LINUX_SUITE_PA(page_address(page));
	return true;
}

void hm_linux_suite_table_free(hm_pa_t table)
{
	hm_linux_suite_direct_map.tables_out--;
	take_back(virt_to_page(hm_port_pgtable_map(table)));
}

struct probe_direct_map probe_direct_map(void)
{
	struct hm_linux_suite_direct_map *hooks = &hm_linux_suite_direct_map;

	return (struct probe_direct_map){
		.bbm_level = &hooks->bbm_level,
		.break_answer = &hooks->break_answer,
		.breaks = &hooks->breaks,
		.mends = &hooks->mends,
		.tables_left = &hooks->tables_left,
		.tables_out = &hooks->tables_out,
	};
}

hm_pte_t probe_linear_page(uint64_t pa)
{
	return hm_arm64_leaf((hm_pa_t){ pa }, 0, HM_ARM64_KERNEL_RW);
}
