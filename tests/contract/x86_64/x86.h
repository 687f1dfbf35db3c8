/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * x86.h -- the machine of the x86-64 port's tests: one CPU without a TLB, memory of the host, instructions
 * that are counted and traced, not executed. It shows what the port does, not whether it is enough.
 *
 * USE      x86_reset();  ... run the code under test ...  x86.counts[HM_INSN_INVLPG]
 * STATE    The global x86, defined in x86.c. One thread.
 */
#ifndef X86_H
#define X86_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <x86_64/insn_kind.h>

struct x86_event {
	enum hm_insn_kind kind;
	const void *address; /* of the table entry or instruction accessed */
	uint64_t value; /* stored, loaded or written; of INVLPG the address */
};

/* What is a physical address here, and what is there: of the host, unless the build says otherwise. */
#ifndef X86_PA
#define X86_PA(address) ((uint64_t)(uintptr_t)(address))
#define X86_AT(pa) ((void *)(uintptr_t)(pa))
#endif

/* CR4 as after start: PAE, PGE, SMEP. */
#define X86_CR4 UINT64_C(0x001000a0)
#ifndef X86_TRACE
#define X86_TRACE 256 /* events kept; later ones are only counted */
#endif

struct x86 {
	struct hm_context *context; /* who runs; never NULL */
	struct hm_context boot_context;
	hm_pte_t *root; /* top-level table of the whole address space, NULL: none */
	/* For direct_map.h: what hm_port_bbm_level() and hm_port_direct_map_break() answer; how often
	 * that, and the mend, was called; tables that hm_port_pgtable_alloc() still gives, and those that
	 * it gave and that did not come back. */
	unsigned int bbm_level;
	int break_answer;
	unsigned int breaks, mends, tables_left, tables_out;
	unsigned int key_style; /* what hm_port_key_style() answers, where the build has keys */
	bool has_1g_pages, has_serialize; /* what those hooks answer */
	/* The key of the memory there, which stores are judged by; below 0: it is read-only. NULL: stores are
	 * to tables, HM_KEY_PGTABLES. */
	int (*key_of)(const void *address);
	uint64_t cr4, pkrs; /* registers */
	uint32_t leaf_0_eax, leaf_7_ecx, leaf_7_edx, extended_1_edx; /* what CPUID answers */
	uint64_t counts[HM_INSN_KINDS];
	struct x86_event trace[X86_TRACE];
	unsigned int events; /* in trace */
	unsigned int publish, sync, switched, order; /* calls of hooks that are no instruction */
	unsigned int shootdowns;
	unsigned int bugs; /* calls of HM_BUG */
};
extern struct x86 x86;

/* As after start: no counts, an idle boot context, no tables. */
void x86_reset(void);
/* Forgets counts and trace; contexts, registers and tables stay. */
void x86_clear(void);
/* What HM_BUG does here: it is counted, and the caller goes on. */
void x86_bug(const char *message);
/* hm_port_pgtable_alloc() and _free(): aligned memory of the host, filled with what no walker should see. */
bool x86_alloc_table(hm_pa_t *table);
void x86_free_table(hm_pa_t table);
#define X86_NOWHERE ((const void *)0) /* NULL, as sparse wants it */
void x86_event(enum hm_insn_kind kind, const void *address, uint64_t value);
/* An ordinary store there: a bug where keys are windows and its key is closed, or memory is read-only. */
void x86_check_key(const void *address);
#endif
