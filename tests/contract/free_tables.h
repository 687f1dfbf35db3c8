/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * free_tables.h -- after a case, the tables that it left in a map; where the port has hm_port_pgtable_free().
 */
#ifndef FREE_TABLES_H
#define FREE_TABLES_H
#include <hardmap/pgtable.h>

/* All below a table of that level, which stays as it is. */
static inline void free_tables_below(const hm_pte_t *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++) {
		if (!hm_port_pte_is_valid(table[i]) || !hm_port_pte_is_table(table[i], level))
			continue;
		free_tables_below(hm_port_pgtable_map(hm_port_pte_table(table[i])), level - 1);
		hm_port_pgtable_free(hm_port_pte_table(table[i]));
	}
}
#endif
