/* SPDX-License-Identifier: GPL-2.0-only */
/* sys/mman.h -- for the contract suite's bodies, which ask for it by that name. Memory is for
 * good, and asked for as a suite begins, where that may sleep. */
#ifndef HM_LINUX_SUITE_MMAN_H
#define HM_LINUX_SUITE_MMAN_H
#include <linux/vmalloc.h>

#define PROT_READ 0
#define PROT_WRITE 0
#define MAP_PRIVATE 0
#define MAP_ANONYMOUS 0
#define MAP_NORESERVE 0
#define MAP_FAILED NULL
#define mmap(address, bytes, protection, flags, file, offset) vzalloc(bytes)
#endif
