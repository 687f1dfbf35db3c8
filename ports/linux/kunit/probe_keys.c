// SPDX-License-Identifier: GPL-2.0-only
/* probe_keys.c -- the probe of suites whose tables have the key that the pool's have. */
#include "probe_body.h"

static hm_pa_t tables[TABLES];
static const hm_pte_t *may_refuse;

static void probe_tables_reset(void)
{
}

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return hm_port_pgtable_map(tables[number]);
}

hm_pa_t probe_arm64_pa(const void *object)
{
	return (hm_pa_t){ virt_to_phys((void *)object) };
}

void probe_may_refuse(const hm_pte_t *ptep)
{
	may_refuse = ptep;
}

void hm_linux_suite_refused(const void *address)
{
	if (!may_refuse || (address && address != may_refuse))
		bugs++;
}

int suite_kunit_init(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < TABLES; i++)
		KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&tables[i]));
	return 0;
}

void suite_kunit_exit(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < TABLES; i++)
		if (tables[i].val)
			hm_linux_table_free(tables[i]);
	memset(tables, 0, sizeof(tables));
}
