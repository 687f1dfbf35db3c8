/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hosted.h -- the hosted port's machine: one CPU without a TLB that counts and traces every hook.
 * Not a model of the architecture: it shows what the library does, not whether it is enough.
 *
 * USE      hm_hosted_reset();  ... run the code under test ...  hm_hosted.counts[HM_INSN_ISB]
 *          hm_hosted_switch_context(&lazy) says on whose behalf the code runs from now on.
 * STATE    The global hm_hosted, defined in hosted.c. One thread.
 */
#ifndef HM_HOSTED_H
#define HM_HOSTED_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/insn_kind.h>

struct hm_hosted_event {
	enum hm_insn_kind kind;
	const void *address; /* of the table entry or instruction accessed, of the line cleaned */
	uint64_t value; /* stored, loaded or written; of a TLBI or IC, its operand */
};

/* CTR_EL0 as after start: lines of 64 bytes, neither IDC nor DIC. */
#define HM_HOSTED_CTR_EL0 UINT64_C(0x80040004)
#define HM_HOSTED_TRACE 256 /* events kept; later ones are only counted */

struct hm_hosted {
	struct hm_context *context; /* who runs; never NULL */
	struct hm_context boot_context;
	hm_pte_t *root; /* top-level table of the whole address space, NULL: none */
	/* For direct_map.h: what hm_port_bbm_level() and hm_port_direct_map_break() answer; how often
	 * that, and the mend, was called; tables that hm_port_pgtable_alloc() still gives, and those that
	 * it gave and that did not come back. */
	unsigned int bbm_level;
	int break_answer;
	unsigned int breaks, mends, tables_left, tables_out;
	bool has_tlbi_range; /* what hm_port_arm64_has_tlbi_range() answers */
	unsigned int key_style; /* what hm_port_key_style() answers, where the build has keys */
	/* The key of the memory there, which stores are judged by; below 0: it is read-only. NULL: stores are
	 * to tables, HM_KEY_PGTABLES. */
	int (*key_of)(const void *address);
	uint64_t id_aa64isar0_el1, id_aa64mmfr2_el1, id_aa64mmfr3_el1, id_aa64pfr1_el1;
	uint64_t midr_el1, ctr_el0; /* the registers */
	uint64_t por_el1, pir_el1, pire0_el1, tcr2_el1, gcscr_el1;
	uint64_t counts[HM_INSN_KINDS];
	struct hm_hosted_event trace[HM_HOSTED_TRACE];
	unsigned int events; /* in trace */
	unsigned int bugs; /* calls of HM_BUG */
	const char *bug; /* the last one's message, NULL: none */
};
extern struct hm_hosted hm_hosted;

/* As after start: no counts, an idle boot context, no tables. */
void hm_hosted_reset(void);
/* Forgets counts and trace; contexts and tables stay. */
void hm_hosted_clear_counts(void);
/* Code runs on behalf of that context from now on. */
void hm_hosted_switch_context(struct hm_context *context);
/* What HM_BUG does here: it is counted, and the caller goes on. */
void hm_hosted_bug(const char *message);
/* hm_port_pgtable_alloc() and _free(): aligned memory of the host, filled with what no walker should see. */
bool hm_hosted_alloc_table(hm_pa_t *table, uint64_t bytes);
void hm_hosted_free_table(hm_pa_t table);
/* hm_port_direct_map_break(). */
int hm_hosted_break(void);
void hm_hosted_event(enum hm_insn_kind kind, const void *address, uint64_t value);
#endif
