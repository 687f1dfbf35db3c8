/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plain.h -- before everything else in what belongs to the contract suites of direct_map.h,
 * pgtable_pool.h and rox_cache.h, whose hooks are not the port's but simulated. The memory of
 * that simulation is ordinary: they are compiled without keys (HM_LINUX_PLAIN_TABLES), also where
 * the CPU has some; with keys they run in hosted builds alone. Their probe is a second copy of
 * the same source. It and the hooks need names of their own.
 */
#ifndef HM_LINUX_PLAIN_H
#define HM_LINUX_PLAIN_H

/* probe_body.h, contract/probe_arm64.c */
#define bench_barriers plain_bench_barriers
#define hm_insn_count plain_insn_count
#define hm_linux_suite_bug plain_suite_bug
#define hm_linux_suite_context plain_suite_context
#define hm_linux_suite_root plain_suite_root
#define probe_arm64_become plain_arm64_become
#define probe_arm64_bugs plain_arm64_bugs
#define probe_arm64_counted plain_arm64_counted
#define probe_arm64_pa plain_arm64_pa
#define probe_arm64_reset plain_arm64_reset
#define probe_arm64_table plain_arm64_table
#define probe_block plain_block
#define probe_interrupt plain_interrupt
#define probe_kernel_page plain_kernel_page
#define probe_link plain_link
#define probe_opens plain_opens
#define probe_page_bytes plain_page_bytes
#define probe_page_step plain_page_step
#define probe_read plain_read
#define probe_readonly_page plain_readonly_page
#define probe_reset plain_reset
#define probe_run_on plain_run_on
#define probe_set_root plain_set_root
#define probe_table plain_table
#define probe_user_page plain_user_page
#define probe_va plain_va
#define suite_failed plain_suite_failed
#define suite_kunit_exit plain_suite_kunit_exit
#define suite_kunit_init plain_suite_kunit_init
#define suite_kunit_run plain_suite_kunit_run

/* contract/pool_kernel.c */
#define POOL_KERNEL_PA(address) HM_LINUX_SUITE_PA(address)
#define hm_port_pgtable_pool_fence plain_pool_fence
#define hm_port_pgtable_pool_give plain_pool_give
#define hm_port_pgtable_pool_lock plain_pool_lock
#define hm_port_pgtable_pool_magazine plain_pool_magazine
#define hm_port_pgtable_pool_memory plain_pool_memory
#define hm_port_pgtable_pool_pin plain_pool_pin
#define hm_port_pgtable_pool_refill_lock plain_pool_refill_lock
#define hm_port_pgtable_pool_refill_unlock plain_pool_refill_unlock
#define hm_port_pgtable_pool_rejoin plain_pool_rejoin
#define hm_port_pgtable_pool_root plain_pool_root
#define hm_port_pgtable_pool_set_key plain_pool_set_key
#define hm_port_pgtable_pool_unlock plain_pool_unlock
#define hm_port_pgtable_pool_unpin plain_pool_unpin

/* contract/rox_kernel.c */
#define hm_port_rox_cache_alias plain_rox_cache_alias
#define hm_port_rox_cache_at plain_rox_cache_at
#define hm_port_rox_cache_execute plain_rox_cache_execute
#define hm_port_rox_cache_give plain_rox_cache_give
#define hm_port_rox_cache_grow_lock plain_rox_cache_grow_lock
#define hm_port_rox_cache_grow_unlock plain_rox_cache_grow_unlock
#define hm_port_rox_cache_lock plain_rox_cache_lock
#define hm_port_rox_cache_memory plain_rox_cache_memory
#define hm_port_rox_cache_range_alloc plain_rox_cache_range_alloc
#define hm_port_rox_cache_range_free plain_rox_cache_range_free
#define hm_port_rox_cache_synchronise plain_rox_cache_synchronise
#define hm_port_rox_cache_unlock plain_rox_cache_unlock
#define hm_port_rox_cache_window_lock plain_rox_cache_window_lock
#define hm_port_rox_cache_window_unlock plain_rox_cache_window_unlock
#endif
