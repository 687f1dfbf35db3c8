/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.h -- where things are in memory. Read by C and by the assembler;
 * kernel.ld repeats the first two values and asserts that they agree.
 */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

/* The granule is the build's choice: 12 (4K), 14 (16K) or 16 (64K). */
#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#define PAGE_SIZE (1 << PAGE_SHIFT)

/* Linear map: virtual address = physical address + LINEAR_BASE, through TTBR1_EL1. */
#define LINEAR_BASE 0xffff000000000000

/* Where the image is loaded. It is linked, and runs, at LINEAR_BASE + KERNEL_PA. */
#define KERNEL_PA 0x40080000

/* The memory that the kernel maps, whatever more the machine has. */
#define RAM_START 0x40000000
#define RAM_END 0x80000000

/* The devices that it uses: GIC and UART. */
#define DEVICES_START 0x08000000
#define DEVICES_END 0x0a000000

/* From here to the trace: the kernel's bookkeeping, and the frames that the replay maps. */
#define DATA_PA 0x42000000

/* Where the machine's loader puts the trace, and the first page beyond it: from there to SPARE_PA is
 * memory by blocks, for page tables (pages.c, tables.c). From there to RAM_END is memory that linear.c
 * plays with. */
#define TRACE_PA 0x48000000
#define TRACE_END 0x4c000000
#define SPARE_PA 0x60000000

/* The window, in which the replay maps: one table of pages a slot. */
#define WINDOW_BASE 0xffff800000000000
#define WINDOW_SLOTS 16384

/* Where code that is loaded executes, and for how many blocks of it there is room. */
#define CODE_BASE 0xffffc00000000000
#define CODE_BLOCKS 8

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
