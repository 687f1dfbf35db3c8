/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine.c -- the programs of README.md, as its table has them, on the adversarial machine
 * (ports/hosted/machine): each is run with many interleavings, and what the machine shows is
 * compared with herd7's verdict. It must be able to show all that herd7 allows. Where it shows what
 * herd7 forbids, that is a strictness named below, with its reason.
 *
 *	machine README.md      TAP
 */
#include <machine.h>
#include <hardmap/pgtable.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 400
#define EVENTS 24

static const struct {
	const char *test, *reason;
} strictness[] = {
	{ "message-release-isb", "no store is complete before a DSB of its own CPU" },
	{ "switch-leave",
	  "no store is complete before a DSB of its own CPU: the switch has to have one" },
	{ "message-pointer", "an address dependency is no context synchronisation event" },
};

/* Pages of the machine: tables, then what x, y, z map. */
enum { ROOT, UPPER, MIDDLE, LEAVES, LINKED, PAGE_X, PAGE_Y, PAGE_Z };

#define WINDOW UINT64_C(0xffff800000000000)

static struct hm_machine machine;

/* One program: up to three CPUs' events, as text; and the outcome asked about. */
static char *cpu_events[3][EVENTS + 1];
static char outcome[128];
static unsigned int cpu_count;

/* One run of it. */
static unsigned int flags[3]; /* f, g, and p: whether its store was done */
static bool reused; /* page= was executed */
static unsigned int faults; /* reads that may have faulted, in this run */
static bool shown;

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* ---- the pages ---- */

static unsigned int page_number(char name)
{
	return (unsigned int)(name - 'x');
}

static hm_va_t va_of(char name)
{
	/* In link tests x is reached by a table of its own. */
	const hm_va_t va = { WINDOW + page_number(name) * UINT64_C(4096) };

	return va;
}

static hm_pte_t *entry_of(char name)
{
	return hm_port_pgtable_map(hm_machine_page(LEAVES)) + page_number(name);
}

static hm_pte_t leaf(char name, bool read_only)
{
	return hm_arm64_leaf(hm_machine_page(PAGE_X + page_number(name)), 0,
			     read_only ? HM_ARM64_KERNEL_RO : HM_ARM64_KERNEL_RW);
}

/* ---- events ---- */

/* Whether the outcome asked about is that an access works, by a translation it should not have. */
static bool asks_for_success(void)
{
	return strstr(outcome, "succeeds") || strstr(outcome, "gives 2") || strstr(outcome, "is 3");
}

static void access_page(const char *event, char name)
{
	enum hm_access access = starts(event, "write") ? HM_ACCESS_WRITE : HM_ACCESS_READ;
	bool concerned = strstr(outcome, "any read") || strstr(outcome, "a read") ||
			 strstr(outcome, "its read") || strstr(outcome, "both") ||
			 strchr(strstr(outcome, "read ") ? strstr(outcome, "read ") : "x", name);

	if (asks_for_success()) {
		bool reuse = strstr(outcome, "gives 2") || strstr(outcome, "is 3");

		if (hm_machine_may_succeed(va_of(name), access) && (reused || !reuse))
			shown = true;
		return;
	}
	if (strstr(outcome, "old page")) {
		if (hm_machine_may_reach(hm_machine_cpu_number(), va_of(name),
					 PAGE_X + page_number(name)))
			shown = true;
		if (!strstr(outcome, "faults"))
			return;
	}
	/* "Gives 0": the link was seen, what it leads to was not. */
	if (strstr(outcome, "gives 0")) {
		if (hm_machine_may_fault_at(va_of(name), 0))
			shown = true;
		return;
	}
	if (concerned && hm_machine_may_fault(va_of(name), access)) {
		faults++;
		if (!strstr(outcome, "both") || faults == 2)
			shown = true;
		if (strstr(outcome, "both"))
			hm_machine_fault(); /* its entry synchronises; what the handler does follows */
	}
}

/* f, g or p. */
static unsigned int flag_of(char name)
{
	return name == 'f' ? 0 : name == 'g' ? 1 : 2;
}

/* Does an event; false ends the CPU's program. */
static bool do_event(const char *event)
{
	while (*event == '[' || *event == ' ')
		event++;
	if (starts(event, "map ")) {
		bool elsewhere = strstr(event, "to page") != NULL;
		hm_pte_t value = leaf(elsewhere ? event[strlen("map x to page ")] : event[4],
				      false);

		if (strstr(event, "by cas"))
			hm_insn_cas(&entry_of(event[4])->val, 0, value.val);
		else
			hm_port_pte_store(entry_of(event[4]), value);
	} else if (starts(event, "unmap ")) {
		const hm_pte_t none = { 0 };

		hm_port_pte_store(entry_of(event[6]), none);
	} else if (starts(event, "ro ") || starts(event, "rw ")) {
		hm_port_pte_store(entry_of(event[3]), leaf(event[3], event[1] == 'o'));
	} else if (starts(event, "link")) {
		hm_port_pte_store(hm_port_pgtable_map(hm_machine_page(MIDDLE)),
				  hm_arm64_table(hm_machine_page(LINKED)));
	} else if (starts(event, "page=")) {
		if (strstr(outcome, "gives 0")) /* the analog of a fill is a fill here */
			hm_port_pte_store(hm_port_pgtable_map(hm_machine_page(LINKED)),
					  leaf('x', false));
		reused = true;
	} else if (starts(event, "tlbi ")) {
		hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va_of(event[5])));
	} else if (starts(event, "local-tlbi ") || starts(event, "dsb.ld")) {
		/* The port has neither. A local TLBI is nothing to the other CPU, which these tests ask
		 * about; DSB ISHLD is nothing to a store. */
	} else if (starts(event, "dsb.st")) {
		hm_insn_dsb_ishst();
	} else if (starts(event, "dsb")) {
		hm_insn_dsb_ish();
	} else if (starts(event, "dmb")) {
		hm_insn_dmb_ishst();
	} else if (starts(event, "isb") || starts(event, "exception")) {
		hm_insn_isb();
	} else if (starts(event, "read *a")) {
		access_page(event, 'x');
	} else if (starts(event, "read ") || starts(event, "write ")) {
		access_page(event, event[strcspn(event, " ") + 1]);
	} else if (starts(event, "if ")) {
		return flags[flag_of(event[3])];
	} else if (starts(event, "see ")) {
		return flags[flag_of(event[4])];
	} else if (starts(event, "a=p")) {
		return flags[flag_of('p')];
	} else if (event[1] == '=') {
		flags[flag_of(event[0])] = 1;
	} else {
		printf("Bail out! unknown event: %s\n", event);
		exit(1);
	}
	return true;
}

static void body(void *argument)
{
	char **events = argument;

	for (; *events; events++) {
		/* Nothing orders an ISB after a load that no branch depends on. */
		if (starts(*events, "see") && hm_machine_random(2)) {
			unsigned int later = hm_machine_random(32);

			if (events[1] && !do_event(events[1]))
				return;
			while (later--)
				hm_machine_pass();
			if (!do_event(*events))
				return;
			events++;
			continue;
		}
		hm_machine_pass();
		if (!do_event(*events))
			return;
	}
}

static bool mentioned(const char *verb, char name)
{
	unsigned int cpu, i;
	char text[16];

	snprintf(text, sizeof(text), "%s %c", verb, name);
	for (cpu = 0; cpu < cpu_count; cpu++)
		for (i = 0; cpu_events[cpu][i]; i++)
			if (strstr(cpu_events[cpu][i], text) &&
			    (verb[0] != 'm' || !strstr(cpu_events[cpu][i], "unmap")))
				return true;
	return false;
}

static void run(uint64_t seed)
{
	const struct hm_machine_config config = { .cpus = cpu_count,
						  .seed = seed,
						  .interleave = 100 };
	bool link = strstr(outcome, "gives 0");
	static const char pages[] = "xyz";
	unsigned int cpu, name;

	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	hm_port_pte_store(hm_port_pgtable_map(hm_machine_page(ROOT)) + 256,
			  hm_arm64_table(hm_machine_page(UPPER)));
	hm_port_pte_store(hm_port_pgtable_map(hm_machine_page(UPPER)),
			  hm_arm64_table(hm_machine_page(MIDDLE)));
	if (!link)
		hm_port_pte_store(hm_port_pgtable_map(hm_machine_page(MIDDLE)),
				  hm_arm64_table(hm_machine_page(LEAVES)));
	for (name = 0; !link && pages[name]; name++) {
		char page = pages[name];

		if (mentioned("unmap", page) || !mentioned("map", page))
			hm_port_pte_store(entry_of(page), leaf(page, mentioned("rw", page)));
	}
	hm_machine_settle();
	memset(flags, 0, sizeof(flags));
	reused = false;
	faults = 0;
	for (cpu = 0; cpu < cpu_count; cpu++)
		hm_machine_thread(body, cpu_events[cpu]);
	hm_machine_run();
	if (starts(machine.violation, "break-before-make") ||
	    strstr(machine.violation, " is linked: "))
		shown = true; /* the machine refuses the program itself */
}

/* ---- reading the table ---- */

/* Cuts text at each separator; the parts, trimmed of blanks and of what the notation has around them. */
static unsigned int cut(char *text, const char *separator, char **parts, unsigned int most)
{
	unsigned int n = 0;

	while (text && n < most) {
		char *next = strstr(text, separator), *end;

		if (next) {
			*next = '\0';
			next += strlen(separator);
		}
		text += strspn(text, " `");
		for (end = text + strlen(text); end > text && strchr(" `]", end[-1]); end--)
			end[-1] = '\0';
		parts[n++] = text;
		text = next;
	}
	return n;
}

static const char *strictness_of(const char *test)
{
	unsigned int i;

	for (i = 0; i < sizeof(strictness) / sizeof(*strictness); i++)
		if (!strcmp(strictness[i].test, test))
			return strictness[i].reason;
	return NULL;
}

int main(int argc, char **argv)
{
	FILE *readme = argc == 2 ? fopen(argv[1], "r") : NULL;
	unsigned int tests = 0, failed = 0;
	char line[2048];

	if (!readme) {
		fprintf(stderr, "machine README.md\n");
		return 2;
	}
	while (fgets(line, sizeof(line), readme)) {
		char *cells[8], *programs[3], *arrow;
		const char *strict;
		bool allowed, good;
		unsigned int cpu;
		uint64_t seed;

		if (!starts(line, "| `") || cut(line, "|", cells, 8) < 7)
			continue;
		arrow = strstr(cells[4], "→");
		allowed = !strcmp(cells[5], "Allowed");
		if (!arrow || (!allowed && strcmp(cells[5], "Forbidden") != 0))
			continue;
		*arrow = '\0';
		snprintf(outcome, sizeof(outcome), "%s", arrow + strlen("→"));
		cpu_count = cut(cells[4], "‖", programs, 3);
		for (cpu = 0; cpu < cpu_count; cpu++) {
			char *text = programs[cpu];

			if (text[0] == 'P' && text[2] == ':')
				text += 3;
			cpu_events[cpu][cut(text, ";", cpu_events[cpu], EVENTS)] = NULL;
		}
		shown = false;
		for (seed = 1; seed <= RUNS && !shown; seed++)
			run(seed);
		strict = strictness_of(cells[1]);
		good = shown == (allowed || strict);
		failed += !good;
		printf("%s %u - %s: herd7 %s it, the machine %s%s%s\n", good ? "ok" : "not ok",
		       ++tests, cells[1], allowed ? "allows" : "forbids",
		       shown ? "shows it" : "does not show it", strict ? ", deliberately: " : "",
		       strict ? strict : "");
	}
	fclose(readme);
	printf("1..%u\n", tests);
	return failed || tests < 60;
}
