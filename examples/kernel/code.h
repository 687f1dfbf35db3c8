/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code.h -- code that comes while the kernel runs: loaded, called, patched, freed.
 */
#ifndef KERNEL_CODE_H
#define KERNEL_CODE_H

/*
 * Loads functions and calls them on each of the CPUs; writes beside one that is running, and patches one;
 * tries what has to be refused; fills blocks, frees all, and gives the blocks back. For the only thread,
 * after code_cache_init(). Panics if anything is not as it should be.
 */
void code_demonstrate(unsigned int cpus);

#endif /* KERNEL_CODE_H */
