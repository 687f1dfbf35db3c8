/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_section.c -- how many barriers writing entries costs, in and out of sections, counted by the
 * hosted port.
 *
 * USE      lazy_section OUT.json    one JSON object per line and case, and a table on stdout
 *          lazy_section --check     the same table, compared with what each case promises
 *          lazy_section --fault     --check with one barrier too many in each case: must fail
 */
#include <hardmap/pgtable.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static _Alignas(HM_PORT_PGTABLE_ENTRIES *
		sizeof(hm_pte_t)) hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES];

/* A valid kernel entry; other pages for each table. */
static hm_pte_t page(unsigned int table, unsigned int i)
{
	const hm_pa_t pa = { (uint64_t)(table * HM_PORT_PGTABLE_ENTRIES + i)
			     << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

static void write_entries(unsigned int table, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		hm_pte_set(&tables[table][i], page(table, i));
}

static void run_section(unsigned int n)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	write_entries(0, n);
	hm_lazy_mmu_leave(tok);
}

static void run_range(unsigned int n)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set_range(tables[0], n, page(0, 0), 4096);
	hm_lazy_mmu_leave(tok);
}

static void run_unbatched(unsigned int n)
{
	write_entries(0, n);
}

static void run_unbatched_range(unsigned int n)
{
	hm_pte_set_range(tables[0], n, page(0, 0), 4096);
}

/* The inner leave finds the outer section's entries and its own; the outer leave finds the last ones. */
static void run_nested(unsigned int n)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;

	write_entries(0, n);
	inner = hm_lazy_mmu_enter();
	write_entries(1, n);
	hm_lazy_mmu_leave(inner);
	write_entries(2, n);
	hm_lazy_mmu_leave(outer);
}

/* Of four leaves only the second finds something. */
static void run_nested_idle(unsigned int n)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;

	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(inner);
	write_entries(0, n);
	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(inner);
	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(inner);
	hm_lazy_mmu_leave(outer);
}

/* The first flush finds nothing. */
static void run_flush(unsigned int n)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_lazy_mmu_flush();
	write_entries(0, n);
	hm_lazy_mmu_flush();
	write_entries(1, n);
	hm_lazy_mmu_leave(tok);
}

static hm_pte_t link_to(unsigned int table)
{
	/* Tables are found by address arithmetic only: the 48 bits that a descriptor holds will do. */
	const hm_pa_t pa = { (uint64_t)(uintptr_t)tables[table] & HM_ARM64_ADDRESS };

	return hm_arm64_table(pa);
}

/* n entries of a table that is not linked yet, then its link. */
static void run_link(unsigned int n)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_fill(tables[1], n, page(1, 0), 4096);
	hm_pte_link(&tables[0][0], link_to(1));
	hm_lazy_mmu_leave(tok);
}

/* n links: their DMBs are not batched, their publication is. */
static void run_links(unsigned int n)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	for (i = 0; i < n; i++)
		hm_pte_link(&tables[0][i], link_to(1));
	hm_lazy_mmu_leave(tok);
}

/* a + b * n of something. */
struct linear {
	unsigned int a, b;
};

static const struct bench_case {
	const char *name;
	void (*run)(unsigned int n);
	struct linear pairs, dmb, entries; /* promised; a pair is DSB and ISB */
} cases[] = {
	{ "section", run_section, { 1, 0 }, { 0, 0 }, { 0, 1 } },
	{ "range", run_range, { 1, 0 }, { 0, 0 }, { 0, 1 } },
	{ "unbatched", run_unbatched, { 0, 1 }, { 0, 0 }, { 0, 1 } },
	{ "unbatched_range", run_unbatched_range, { 1, 0 }, { 0, 0 }, { 0, 1 } },
	{ "nested", run_nested, { 2, 0 }, { 0, 0 }, { 0, 3 } },
	{ "nested_idle", run_nested_idle, { 1, 0 }, { 0, 0 }, { 0, 1 } },
	{ "flush", run_flush, { 2, 0 }, { 0, 0 }, { 0, 2 } },
	{ "link", run_link, { 1, 0 }, { 1, 0 }, { 1, 1 } },
	{ "links", run_links, { 1, 0 }, { 0, 1 }, { 0, 1 } },
};

static const unsigned int sizes[] = { 1, 4, 16, 64, 256, 512 };

struct result {
	uint64_t dsb, isb, dmb, key_writes, entries;
	unsigned int bugs;
};

static struct result measure(const struct bench_case *c, unsigned int n, bool fault)
{
	const uint64_t *counts = hm_hosted.counts;
	struct result r;

	memset(tables, 0, sizeof(tables));
	hm_hosted_reset();
	c->run(n);
	if (fault)
		hm_port_context_publish();
	hm_context_assert_idle();
	r.dsb = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH];
	r.isb = counts[HM_INSN_ISB];
	r.dmb = counts[HM_INSN_DMB_ISHST];
	r.key_writes = 0; /* no port has keys yet, so that there is nothing to count */
	r.entries = counts[HM_INSN_STR];
	r.bugs = hm_hosted.bugs;
	return r;
}

static bool promised(const char *what, const struct bench_case *c, unsigned int n, uint64_t found,
		     struct linear expected)
{
	const uint64_t wanted = expected.a + (uint64_t)expected.b * n;

	if (found == wanted)
		return true;
	printf("FAIL %s, n = %u: %s %llu, promised %llu\n", c->name, n, what,
	       (unsigned long long)found, (unsigned long long)wanted);
	return false;
}

static bool check(const struct bench_case *c, unsigned int n, const struct result *r)
{
	const struct linear none = { 0, 0 };
	bool ok = promised("dsb", c, n, r->dsb, c->pairs);

	ok &= promised("isb", c, n, r->isb, c->pairs);
	ok &= promised("dmb", c, n, r->dmb, c->dmb);
	ok &= promised("key_writes", c, n, r->key_writes, none);
	ok &= promised("entries", c, n, r->entries, c->entries);
	ok &= promised("HM_BUG", c, n, r->bugs, none);
	return ok;
}

static void write_json(FILE *out, const struct bench_case *c, unsigned int n,
		       const struct result *r)
{
	fprintf(out,
		"{\"bench\":\"lazy_section\",\"case\":\"%s\",\"n\":%u,\"dsb\":%llu,\"isb\":%llu,"
		"\"dmb\":%llu,\"key_writes\":%llu,\"entries\":%llu}\n",
		c->name, n, (unsigned long long)r->dsb, (unsigned long long)r->isb,
		(unsigned long long)r->dmb, (unsigned long long)r->key_writes,
		(unsigned long long)r->entries);
}

/* Measures every case at every size; false if checking found a promise broken. */
static bool measure_all(FILE *json, bool checking, bool fault)
{
	size_t i, j;
	bool ok = true;

	printf("DSB+ISB+DMB\n%-16s", "case");
	for (j = 0; j < ARRAY_SIZE(sizes); j++)
		printf("      n = %-3u", sizes[j]);
	printf("\n");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct result r[ARRAY_SIZE(sizes)];

		printf("%-16s", cases[i].name);
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			char text[64];

			r[j] = measure(&cases[i], sizes[j], fault);
			snprintf(text, sizeof(text), "%llu+%llu+%llu", (unsigned long long)r[j].dsb,
				 (unsigned long long)r[j].isb, (unsigned long long)r[j].dmb);
			printf(" %12s", text);
			if (json)
				write_json(json, &cases[i], sizes[j], &r[j]);
		}
		printf("\n");
		for (j = 0; checking && j < ARRAY_SIZE(sizes); j++)
			ok &= check(&cases[i], sizes[j], &r[j]);
	}
	return ok;
}

int main(int argc, char **argv)
{
	const bool fault = argc == 2 && !strcmp(argv[1], "--fault");
	const bool checking = fault || (argc == 2 && !strcmp(argv[1], "--check"));
	FILE *json = NULL;
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "usage: lazy_section OUT.json | --check | --fault\n");
		return 2;
	}
	if (!checking) {
		json = fopen(argv[1], "w");
		if (!json) {
			fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
			return 2;
		}
	}
	ok = measure_all(json, checking, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	return ok ? 0 : 1;
}
