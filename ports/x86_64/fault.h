/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * fault.h -- why an access failed: the hook of kpkeys.h over the error code of a page fault. Include it from
 * your hardmap_port.h.
 */
#ifndef HM_X86_64_FAULT_H
#define HM_X86_64_FAULT_H
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#ifndef HM_NO_STD_HEADERS
#include <stdint.h>
#endif

/* The error code of #PF (SDM vol 3, 4.7). */
#define HM_X86_64_PF_PRESENT (UINT64_C(1) << 0) /* all entries were valid: something forbids it */
#define HM_X86_64_PF_WRITE (UINT64_C(1) << 1)
#define HM_X86_64_PF_USER (UINT64_C(1) << 2)
#define HM_X86_64_PF_RESERVED (UINT64_C(1) << 3) /* an entry has a reserved bit */
#define HM_X86_64_PF_FETCH (UINT64_C(1) << 4)
#define HM_X86_64_PF_KEY (UINT64_C(1) << 5)
#define HM_X86_64_PF_SHADOW_STACK (UINT64_C(1) << 6)
#define HM_X86_64_PF_HLAT (UINT64_C(1) << 7) /* by tables that are not the kernel's */
#define HM_X86_64_PF_SGX (UINT64_C(1) << 15)
#define HM_X86_64_PF_RMP (UINT64_C(1) << 31) /* AMD, SEV-SNP (APM vol 2, 8.4.2) */

/*
 * code is the error code of a page fault; another exception has no such code and is not asked about. entry is
 * the leaf that translates CR2, 0 if there is none; here the code says all. A key is told before what the
 * page itself permits. A supervisor-mode access to a user page, which SMAP refuses, is told as PERMISSION:
 * whether it was to go through is for the caller to know.
 */
static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t code, uint64_t entry)
{
	(void)entry;
	/* What no change of an entry's permission repairs; of a shadow-stack access R/W says the reverse. */
	if (code & (HM_X86_64_PF_RESERVED | HM_X86_64_PF_SHADOW_STACK | HM_X86_64_PF_HLAT |
		    HM_X86_64_PF_SGX | HM_X86_64_PF_RMP))
		return HM_KPKEYS_FAULT_OTHER;
	if (!(code & HM_X86_64_PF_PRESENT))
		return HM_KPKEYS_FAULT_NOT_MAPPED;
	return code & HM_X86_64_PF_KEY ? HM_KPKEYS_FAULT_KEY : HM_KPKEYS_FAULT_PERMISSION;
}
#endif
