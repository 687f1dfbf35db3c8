/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.h -- where things are in memory. Read by C and by the assembler;
 * kernel.ld repeats the first two values and asserts that they agree.
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

/* Linear map: virtual address = physical address + LINEAR_BASE, through TTBR1_EL1. */
#define LINEAR_BASE 0xffff000000000000

/* Where the image is loaded. It is linked, and runs, at LINEAR_BASE + KERNEL_PA. */
#define KERNEL_PA 0x40080000

/* The memory that the kernel uses, whatever more the machine has. */
#define RAM_START 0x40000000
#define RAM_END 0x60000000

/* Where the machine's loader puts the trace, and the first page beyond it: from there to
 * RAM_END the kernel allocates. */
#define TRACE_PA 0x48000000
#define TRACE_END 0x4c000000

/* The window, in which the replay maps: 2 MiB, one table of pages, a slot. */
#define WINDOW_BASE 0xffff800000000000
#define WINDOW_SLOTS 16384

/* At most 8: a GICv2 SGI target list has one bit for each CPU. */
#define MAX_CPUS 4

/* Stack of a thread, in bytes. Exception handlers run on it as well. */
#define STACK_SIZE 16384

/*
 * sizeof(struct thread): its stack, and room for its other fields. boot.S
 * needs it to find the stack of a CPU's idle thread; thread.h checks it.
 */
#define THREAD_ALIGN 512
#define THREAD_SIZE (STACK_SIZE + THREAD_ALIGN)

#endif /* KERNEL_LAYOUT_H */
