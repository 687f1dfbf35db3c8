/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_section.c -- how many barriers and writes of a key register writing entries costs, in and out of
 * sections, counted by the hosted port.
 *
 * USE      lazy_section OUT.json    one JSON object per line and case, and two tables on stdout
 *          lazy_section --check     the same tables, compared with what each case promises
 *          lazy_section --fault     --check with one barrier too many in each case: must fail
 *          lazy_section --fault-key the same with one write of the key register too many
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

struct bench_case {
	const char *name;
	void (*run)(unsigned int n);
	struct linear pairs, dmb, entries; /* promised; a pair is DSB and ISB */
	/* Promised: two key writes each and an ISB at the beginning; that at the end is a pair's, as each
	 * window here has entries to publish. */
	struct linear windows;
};

/* Without keys. */
static const struct bench_case cases[] = {
	{ "section", run_section, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "range", run_range, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "unbatched", run_unbatched, { 0, 1 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "unbatched_range", run_unbatched_range, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "nested", run_nested, { 2, 0 }, { 0, 0 }, { 0, 3 }, { 0, 0 } },
	{ "nested_idle", run_nested_idle, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "flush", run_flush, { 2, 0 }, { 0, 0 }, { 0, 2 }, { 0, 0 } },
	{ "link", run_link, { 1, 0 }, { 1, 0 }, { 1, 1 }, { 0, 0 } },
	{ "links", run_links, { 1, 0 }, { 0, 1 }, { 0, 1 }, { 0, 0 } },
};

/* Guarded, with a window for tables; and for comparison the same without keys. */
static const struct bench_case key_cases[] = {
	{ "unguarded", run_unbatched, { 0, 1 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "unguarded_section", run_section, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 0, 0 } },
	{ "guarded", run_unbatched, { 0, 1 }, { 0, 0 }, { 0, 1 }, { 0, 1 } },
	{ "guarded_section", run_section, { 1, 0 }, { 0, 0 }, { 0, 1 }, { 1, 0 } },
};

static const unsigned int sizes[] = { 1, 4, 16, 64, 256, 512 };

struct result {
	uint64_t dsb, isb, dmb, key_writes, entries;
	unsigned int bugs;
};

/* What is planted: nothing, or something that check() has to notice. */
enum fault { FAULT_NONE, FAULT_BARRIER, FAULT_KEY };

static bool guarded(const struct bench_case *c)
{
	return c->windows.a || c->windows.b;
}

static struct result measure(const struct bench_case *c, unsigned int n, enum fault fault)
{
	const uint64_t *counts = hm_hosted.counts;
	struct result r;

	memset(tables, 0, sizeof(tables));
	hm_hosted_reset();
	if (guarded(c)) {
		hm_hosted.key_style = HM_KEY_STYLE_WINDOW;
		hm_arm64_poe_enable();
		hm_kpkeys_cpu_start();
		hm_hosted_clear_counts();
	}
	c->run(n);
	if (fault == FAULT_BARRIER)
		hm_port_context_publish();
	if (fault == FAULT_KEY)
		hm_port_kpkeys_write(hm_port_kpkeys_read());
	hm_context_assert_idle();
	r.dsb = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH];
	r.isb = counts[HM_INSN_ISB];
	r.dmb = counts[HM_INSN_DMB_ISHST];
	r.key_writes = counts[HM_INSN_MSR_POR_EL1];
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
	const struct linear isb = { c->pairs.a + c->windows.a, c->pairs.b + c->windows.b };
	const struct linear key_writes = { 2 * c->windows.a, 2 * c->windows.b };
	bool ok = promised("dsb", c, n, r->dsb, c->pairs);

	ok &= promised("isb", c, n, r->isb, isb);
	ok &= promised("dmb", c, n, r->dmb, c->dmb);
	ok &= promised("key_writes", c, n, r->key_writes, key_writes);
	ok &= promised("entries", c, n, r->entries, c->entries);
	ok &= promised("HM_BUG", c, n, r->bugs, none);
	return ok;
}

static void write_json(FILE *out, const struct bench_case *c, unsigned int n,
		       const struct result *r)
{
	fprintf(out,
		"{\"bench\":\"lazy_section\",\"case\":\"%s\",\"n\":%u,\"dsb\":%llu,\"isb\":%llu,"
		"\"dmb\":%llu,\"key_writes\":%llu,\"entries\":%llu,\"windows\":%s}\n",
		c->name, n, (unsigned long long)r->dsb, (unsigned long long)r->isb,
		(unsigned long long)r->dmb, (unsigned long long)r->key_writes,
		(unsigned long long)r->entries, guarded(c) ? "true" : "false");
}

/* The line of a table: the three sums of each size, divided by it if that is wanted. */
static void print_line(const char *name, const struct result *r, bool keys, bool per_entry)
{
	const int digits = per_entry ? 2 : 4;
	size_t j;

	printf("%-18s", name);
	for (j = 0; j < ARRAY_SIZE(sizes); j++) {
		const double n = per_entry ? sizes[j] : 1;
		const uint64_t third = keys ? r[j].key_writes : r[j].dmb;
		char text[64];

		snprintf(text, sizeof(text), "%.*g+%.*g+%.*g", digits, (double)r[j].dsb / n, digits,
			 (double)r[j].isb / n, digits, (double)third / n);
		printf(" %*s", keys ? 20 : 12, text);
	}
	printf("\n");
}

/* Measures n cases at every size; false if checking found a promise broken. */
static bool measure_all(const struct bench_case *c, size_t n, bool keys, FILE *json, bool checking,
			enum fault fault)
{
	size_t i, j;
	bool ok = true;

	printf("%-18s", keys ? "DSB+ISB+key writes" : "DSB+ISB+DMB");
	for (j = 0; j < ARRAY_SIZE(sizes); j++)
		printf(" %*s%-3u", keys ? 17 : 9, "n = ", sizes[j]);
	printf("\n");
	for (i = 0; i < n; i++) {
		struct result r[ARRAY_SIZE(sizes)];

		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			r[j] = measure(&c[i], sizes[j], fault);
			if (json)
				write_json(json, &c[i], sizes[j], &r[j]);
		}
		print_line(c[i].name, r, keys, false);
		if (keys)
			print_line("  an entry", r, keys, true);
		for (j = 0; checking && j < ARRAY_SIZE(sizes); j++)
			ok &= check(&c[i], sizes[j], &r[j]);
	}
	return ok;
}

int main(int argc, char **argv)
{
	const enum fault fault = argc == 2 && !strcmp(argv[1], "--fault")       ? FAULT_BARRIER
				 : argc == 2 && !strcmp(argv[1], "--fault-key") ? FAULT_KEY
										: FAULT_NONE;
	const bool checking = fault || (argc == 2 && !strcmp(argv[1], "--check"));
	FILE *json = NULL;
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "usage: lazy_section OUT.json | --check | --fault | --fault-key\n");
		return 2;
	}
	if (!checking) {
		json = fopen(argv[1], "w");
		if (!json) {
			fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
			return 2;
		}
	}
	ok = measure_all(cases, ARRAY_SIZE(cases), false, json, checking, fault);
	ok &= measure_all(key_cases, ARRAY_SIZE(key_cases), true, json, checking, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	return ok ? 0 : 1;
}
