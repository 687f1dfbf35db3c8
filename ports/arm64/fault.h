/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * fault.h -- why an access failed: the hook of kpkeys.h over ESR_EL1 and a VMSAv8-64 entry. EL1&0
 * regime. Include it from your hardmap_port.h.
 */
#ifndef HM_ARM64_FAULT_H
#define HM_ARM64_FAULT_H
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#include <arm64/vmsa.h>

/* ESR_EL1 of a data or instruction abort (Arm ARM D24.2.40). */
#define HM_ARM64_ESR_EC(esr) ((esr) >> 26 & 0x3f)
#define HM_ARM64_ESR_EC_ABORT 0x20 /* or with these: */
#define HM_ARM64_ESR_EC_SAME_LEVEL 0x01 /* from EL1 */
#define HM_ARM64_ESR_EC_DATA 0x04 /* of data */
#define HM_ARM64_ESR_FSC(esr) ((esr)&0x3f)
#define HM_ARM64_ESR_WRITE (UINT64_C(1) << 6) /* WnR */
#define HM_ARM64_ESR_DIRTY (UINT64_C(1) << 37) /* ISS2.DirtyBit */
#define HM_ARM64_ESR_OVERLAY (UINT64_C(1) << 38) /* ISS2.Overlay */
#define HM_ARM64_ESR_GCS (UINT64_C(1) << 40) /* ISS2.GCS: of GCSSTR */

/*
 * esr is ESR_EL1 as the exception left it; entry the leaf that translates FAR_EL1, 0 if there is none. A key
 * is told before what the page itself permits, as hardware reports it so. Cache maintenance counts as the
 * store that it is reported as.
 */
static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t esr, uint64_t entry)
{
	uint64_t code = HM_ARM64_ESR_FSC(esr), what = HM_ARM64_ESR_EC(esr);

	if ((what & ~(uint64_t)(HM_ARM64_ESR_EC_SAME_LEVEL | HM_ARM64_ESR_EC_DATA)) !=
	    HM_ARM64_ESR_EC_ABORT)
		return HM_KPKEYS_FAULT_OTHER;
	/* Translation fault at lookup level 0 to 3, or -1 and -2. */
	if ((code & 0x3c) == 0x04 || code == 0x2b || code == 0x2a)
		return HM_KPKEYS_FAULT_NOT_MAPPED;
	if ((code & 0x3c) != 0x0c) /* no permission fault */
		return HM_KPKEYS_FAULT_OTHER;
	if (esr & HM_ARM64_ESR_OVERLAY)
		return HM_KPKEYS_FAULT_KEY;
	if (esr & HM_ARM64_ESR_DIRTY)
		return HM_KPKEYS_FAULT_DIRTY;
	if (esr & HM_ARM64_ESR_GCS)
		return HM_KPKEYS_FAULT_NOT_KEYED;
	if ((what & HM_ARM64_ESR_EC_DATA) && (esr & HM_ARM64_ESR_WRITE) &&
	    HM_ARM64_PIINDEX(entry) == HM_ARM64_PIINDEX(HM_ARM64_KERNEL_KEYED))
		return HM_KPKEYS_FAULT_STORE_KEY;
	return HM_KPKEYS_FAULT_PERMISSION;
}
#endif
