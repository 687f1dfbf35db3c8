/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the native port: the arm64 port's descriptors, barriers and TLB maintenance over the
 * instructions of hosted/native/arm64/insn.h, and a key register that the host's memory protection obeys.
 * Physical addresses are host addresses. Include path: include, ports/hosted/native, ports, in this order;
 * link ports/hosted/native/native.c and threads.
 */
#ifndef HM_NATIVE_HARDMAP_PORT_H
#define HM_NATIVE_HARDMAP_PORT_H
#include <native.h>
#include <signal.h>

#define HM_BUG(message) hm_native_bug(message)
#define HM_PORT_ARM64_PAGE_SHIFT 12

static inline struct hm_context *hm_port_context(void)
{
	struct hm_context *context = hm_native_cpu.context;

	return context ? context : &hm_native_cpu.boot_context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return hm_native.root;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return true;
}

static inline bool hm_port_arm64_has_store_keys(void)
{
	return false;
}

/* The key register: a variable in the encoding of context.h. The host enforces HM_KEY_PGTABLES alone. */
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_WINDOW
#define HM_PORT_KPKEYS 8
#define HM_PORT_KPKEYS_REGISTER(permissions) (permissions)
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)

static inline uint64_t hm_port_kpkeys_read(void)
{
	return hm_native_read_register();
}

static inline void hm_port_kpkeys_write(uint64_t value)
{
	hm_native_write_register(value);
}

#include <arm64/barrier.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>

/*
 * The syndrome is si_code of the SIGSEGV. mprotect() has no keys: what the host calls a matter of permission
 * is one of the key if the entry has one, other than the default, and permits the store itself.
 */
static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t si_code, uint64_t entry)
{
	const hm_pte_t pte = { entry };

	switch (si_code) {
	case SEGV_MAPERR:
		return HM_KPKEYS_FAULT_NOT_MAPPED;
	case SEGV_PKUERR:
		return HM_KPKEYS_FAULT_KEY;
	case SEGV_ACCERR:
		return (entry >> 60 & 7) != HM_KEY_DEFAULT &&
				       hm_port_pte_permits(pte, HM_ACCESS_WRITE)
			       ? HM_KPKEYS_FAULT_KEY
			       : HM_KPKEYS_FAULT_PERMISSION;
	default:
		return HM_KPKEYS_FAULT_OTHER;
	}
}
#endif
