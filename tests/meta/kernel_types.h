/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * kernel_types.h -- all that a kernel without standard headers declares before it includes hardmap with
 * HM_NO_STD_HEADERS. Included by force (-include) into compilations with -nostdinc.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef __UINTPTR_TYPE__ uintptr_t;
#define UINT64_C(constant) constant##ull

#ifndef __cplusplus
#define bool _Bool
#define true 1
#define false 0
#endif
#endif
