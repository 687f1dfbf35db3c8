/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.c -- the hot paths of lazy_mmu.h, pgtable.h and kpkeys.h as functions of their own, compiled for arm64
 * and executed instruction by instruction by read_insns.py. Never linked.
 */
#include <hardmap/pgtable.h>

/* What a section is open for; the reader is the body. */
void body(void);

/* Where the state is: the reader runs it rather than know the layout of struct thread. */
struct hm_context *state(void)
{
	return hm_port_context();
}

void set_kernel(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_pte_set_kernel(ptep, pte);
}

void set(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_pte_set(ptep, pte);
}

/* The three loops are the same but for the writer; the first one says what the loop itself costs. */
void store_loop(hm_pte_t *ptep, unsigned int n, hm_pte_t pte)
{
	for (; n; n--, ptep++, pte.val += 4096)
		hm_port_pte_store(ptep, pte);
}

void set_kernel_loop(hm_pte_t *ptep, unsigned int n, hm_pte_t pte)
{
	for (; n; n--, ptep++, pte.val += 4096)
		hm_pte_set_kernel(ptep, pte);
}

void set_loop(hm_pte_t *ptep, unsigned int n, hm_pte_t pte)
{
	for (; n; n--, ptep++, pte.val += 4096)
		hm_pte_set(ptep, pte);
}

void set_range(hm_pte_t *ptep, unsigned int n, hm_pte_t first)
{
	hm_pte_set_range(ptep, n, first, 4096);
}

void set_range_step(hm_pte_t *ptep, unsigned int n, hm_pte_t first, uint64_t step)
{
	hm_pte_set_range(ptep, n, first, step);
}

void clear_range(hm_pte_t *ptep, unsigned int n)
{
	hm_pte_clear_range(ptep, n);
}

void section(void)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	body();
	hm_lazy_mmu_leave(tok);
}

void nested(void)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;

	body();
	inner = hm_lazy_mmu_enter();
	body();
	hm_lazy_mmu_leave(inner);
	body();
	hm_lazy_mmu_leave(outer);
}

void text(void)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();

	body();
	hm_kpkeys_leave(tok);
}

hm_lazy_mmu_token_t enter(void)
{
	return hm_lazy_mmu_enter();
}

void leave(hm_lazy_mmu_token_t tok)
{
	hm_lazy_mmu_leave(tok);
}

hm_context_exception_t exception_push(void)
{
	return hm_context_exception_push();
}

void exception_pop(hm_context_exception_t tok)
{
	hm_context_exception_pop(tok);
}
