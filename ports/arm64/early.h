/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * early.h -- the word of a CPU that has no thread yet, for kernels whose hm_port_context() finds the running
 * thread by TPIDR_EL1. For assembler files.
 */
#ifndef HM_ARM64_EARLY_H
#define HM_ARM64_EARLY_H
#ifdef __ASSEMBLER__
/*
 * From here on TPIDR_EL1 leads to element cpu of an array of static objects of size bytes, in each of which
 * a struct hm_context lies where it lies in a thread: all-zero, as .bss is. Before the CPU calls any C code
 * that may use the library, exception handlers included; later a switch replaces it by a thread. array and
 * cpu are registers, scratch a third one that is lost. MRS sees the write in program order (Arm ARM D24.1.2).
 */
/* clang-format off */
	.macro	hm_early_context array:req, cpu:req, size:req, scratch:req
	mov	\scratch, #\size
	madd	\scratch, \cpu, \scratch, \array
	msr	tpidr_el1, \scratch
	.endm
/* clang-format on */
#endif
#endif
