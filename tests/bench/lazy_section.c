/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_section.c -- how many barriers and writes of a key register writing entries costs, in and out of
 * sections, without keys, with window keys and with store keys, counted by the hosted port.
 *
 * USE      lazy_section OUT.json      one JSON object per line and case, and three tables on stdout
 *          lazy_section --check       the same tables, compared with what each case promises
 *          lazy_section --fault       --check with one barrier too many in each case: must fail
 *          lazy_section --fault-key   the same with one write of the key register too many
 *          lazy_section --fault-order the same with one order of keyed stores too many
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
	/* Promised of keyed stores, too: their order, a DMB and a GCSB each. A pair has a GCSB. */
	struct linear orders;
};

static const struct bench_case cases[] = {
	{ "section", run_section, .pairs = { 1, 0 }, .entries = { 0, 1 } },
	{ "range", run_range, .pairs = { 1, 0 }, .entries = { 0, 1 } },
	{ "unbatched", run_unbatched, .pairs = { 0, 1 }, .entries = { 0, 1 } },
	{ "unbatched_range", run_unbatched_range, .pairs = { 1, 0 }, .entries = { 0, 1 } },
	{ "nested", run_nested, .pairs = { 2, 0 }, .entries = { 0, 3 } },
	{ "nested_idle", run_nested_idle, .pairs = { 1, 0 }, .entries = { 0, 1 } },
	{ "flush", run_flush, .pairs = { 2, 0 }, .entries = { 0, 2 } },
	{ "link", run_link, .pairs = { 1, 0 }, .dmb = { 1, 0 }, .entries = { 1, 1 } },
	{ "links", run_links, .pairs = { 1, 0 }, .dmb = { 0, 1 }, .entries = { 0, 1 } },
};

/* Guarded, with a window for tables. */
static const struct bench_case window_cases[] = {
	{ "guarded", run_unbatched, .pairs = { 0, 1 }, .entries = { 0, 1 }, .windows = { 0, 1 } },
	{ "guarded_section", run_section, .pairs = { 1, 0 }, .entries = { 0, 1 },
	  .windows = { 1, 0 } },
};

/* By keyed stores. */
static const struct bench_case store_cases[] = {
	{ "keyed", run_unbatched, .pairs = { 0, 1 }, .entries = { 0, 1 }, .orders = { 0, 1 } },
	{ "keyed_range", run_unbatched_range, .pairs = { 1, 0 }, .entries = { 0, 1 },
	  .orders = { 1, 0 } },
	{ "keyed_section", run_section, .pairs = { 1, 0 }, .entries = { 0, 1 },
	  .orders = { 0, 2 } },
	{ "keyed_section_range", run_range, .pairs = { 1, 0 }, .entries = { 0, 1 },
	  .orders = { 2, 0 } },
	{ "keyed_nested", run_nested, .pairs = { 2, 0 }, .entries = { 0, 3 }, .orders = { 0, 6 } },
	{ "keyed_link", run_link, .pairs = { 1, 0 }, .dmb = { 1, 0 }, .entries = { 1, 1 },
	  .orders = { 4, 0 } },
};

/* How tables are protected, and what is counted of that beside DSB and ISB. */
static const struct style {
	const char *name, *sums;
	int width; /* of the widest sum */
	unsigned int number;
	const struct bench_case *cases;
	size_t n;
} styles[] = {
	{ "none", "DSB+ISB+DMB", 12, HM_KEY_STYLE_NONE, cases, ARRAY_SIZE(cases) },
	{ "window", "DSB+ISB+key writes", 20, HM_KEY_STYLE_WINDOW, window_cases,
	  ARRAY_SIZE(window_cases) },
	{ "store", "DSB+ISB+DMB+GCSB", 28, HM_KEY_STYLE_STORE, store_cases,
	  ARRAY_SIZE(store_cases) },
};

static const unsigned int sizes[] = { 1, 4, 16, 64, 256, 512 };

struct result {
	uint64_t dsb, isb, dmb, gcsb, key_writes, entries;
	unsigned int bugs;
};

/* What is planted: nothing, or something that check() has to notice. */
enum fault { FAULT_NONE, FAULT_BARRIER, FAULT_KEY, FAULT_ORDER };

static struct result measure(const struct style *style, const struct bench_case *c, unsigned int n,
			     enum fault fault)
{
	const uint64_t *counts = hm_hosted.counts;
	struct result r;

	memset(tables, 0, sizeof(tables));
	hm_hosted_reset();
	hm_hosted.key_style = style->number;
	if (style->number == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_enable();
	else if (style->number == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	hm_kpkeys_cpu_start();
	hm_hosted_clear_counts();
	c->run(n);
	if (fault == FAULT_BARRIER)
		hm_port_context_publish();
	if (fault == FAULT_KEY)
		hm_port_kpkeys_write(hm_port_kpkeys_read());
	if (fault == FAULT_ORDER)
		hm_port_keyed_end();
	hm_context_assert_idle();
	r.dsb = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH];
	r.isb = counts[HM_INSN_ISB];
	r.dmb = counts[HM_INSN_DMB_ISHST] + counts[HM_INSN_DMB_ISH];
	r.gcsb = counts[HM_INSN_GCSB_DSYNC];
	r.key_writes = counts[HM_INSN_MSR_POR_EL1];
	r.entries = counts[HM_INSN_STR] + counts[HM_INSN_GCSSTR];
	r.bugs = hm_hosted.bugs;
	return r;
}

static struct linear sum(struct linear x, struct linear y)
{
	return (struct linear){ x.a + y.a, x.b + y.b };
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

static bool check(const struct style *style, const struct bench_case *c, unsigned int n,
		  const struct result *r)
{
	const struct linear none = { 0, 0 };
	const bool keyed = style->number == HM_KEY_STYLE_STORE;
	bool ok = promised("dsb", c, n, r->dsb, c->pairs);

	ok &= promised("isb", c, n, r->isb, sum(c->pairs, c->windows));
	ok &= promised("dmb", c, n, r->dmb, sum(c->dmb, c->orders));
	ok &= promised("gcsb", c, n, r->gcsb, keyed ? sum(c->pairs, c->orders) : none);
	ok &= promised("key_writes", c, n, r->key_writes, sum(c->windows, c->windows));
	ok &= promised("entries", c, n, r->entries, c->entries);
	ok &= promised("HM_BUG", c, n, r->bugs, none);
	return ok;
}

static void write_json(FILE *out, const struct style *style, const struct bench_case *c,
		       unsigned int n, const struct result *r)
{
	fprintf(out,
		"{\"bench\":\"lazy_section\",\"case\":\"%s\",\"keys\":\"%s\",\"n\":%u,\"dsb\":%llu,"
		"\"isb\":%llu,\"dmb\":%llu,\"gcsb\":%llu,\"key_writes\":%llu,\"entries\":%llu}\n",
		c->name, style->name, n, (unsigned long long)r->dsb, (unsigned long long)r->isb,
		(unsigned long long)r->dmb, (unsigned long long)r->gcsb,
		(unsigned long long)r->key_writes, (unsigned long long)r->entries);
}

/* The line of a table: the sums of each size, divided by it if that is wanted. */
static void print_line(const struct style *style, const char *name, const struct result *r,
		       bool per_entry)
{
	const int digits = per_entry ? 2 : 4;
	size_t j;

	printf("%-19s", name);
	for (j = 0; j < ARRAY_SIZE(sizes); j++) {
		const double n = per_entry ? sizes[j] : 1;
		const bool windowed = style->number == HM_KEY_STYLE_WINDOW;
		char text[96];
		int length;

		length = snprintf(text, sizeof(text), "%.*g+%.*g+%.*g", digits,
				  (double)r[j].dsb / n, digits, (double)r[j].isb / n, digits,
				  (double)(windowed ? r[j].key_writes : r[j].dmb) / n);
		if (style->number == HM_KEY_STYLE_STORE)
			snprintf(text + length, sizeof(text) - (size_t)length, "+%.*g", digits,
				 (double)r[j].gcsb / n);
		printf(" %*s", style->width, text);
	}
	printf("\n");
}

/* Measures every case at every size; false if checking found a promise broken. */
static bool measure_all(const struct style *style, FILE *json, bool checking, enum fault fault)
{
	size_t i, j;
	bool ok = true;

	printf("%-19s", style->sums);
	for (j = 0; j < ARRAY_SIZE(sizes); j++)
		printf(" %*s%-3u", style->width - 3, "n = ", sizes[j]);
	printf("\n");
	for (i = 0; i < style->n; i++) {
		const struct bench_case *c = &style->cases[i];
		struct result r[ARRAY_SIZE(sizes)];

		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			r[j] = measure(style, c, sizes[j], fault);
			if (json)
				write_json(json, style, c, sizes[j], &r[j]);
		}
		print_line(style, c->name, r, false);
		if (style->number != HM_KEY_STYLE_NONE)
			print_line(style, "  an entry", r, true);
		for (j = 0; checking && j < ARRAY_SIZE(sizes); j++)
			ok &= check(style, c, sizes[j], &r[j]);
	}
	return ok;
}

int main(int argc, char **argv)
{
	static const char *const faults[] = { "", "--fault", "--fault-key", "--fault-order" };
	enum fault fault = FAULT_ORDER;
	FILE *json = NULL;
	bool checking, ok = true;
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: lazy_section OUT.json | --check | --fault | --fault-key | "
				"--fault-order\n");
		return 2;
	}
	while (fault && strcmp(argv[1], faults[fault]) != 0)
		fault--;
	checking = fault || !strcmp(argv[1], "--check");
	if (!checking) {
		json = fopen(argv[1], "w");
		if (!json) {
			fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
			return 2;
		}
	}
	for (i = 0; i < ARRAY_SIZE(styles); i++)
		ok &= measure_all(&styles[i], json, checking, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "lazy_section: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	return ok ? 0 : 1;
}
