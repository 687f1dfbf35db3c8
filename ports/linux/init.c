// SPDX-License-Identifier: GPL-2.0-only
/*
 * init.c -- the port starts: pool, area, code, and what can be seen of them in /sys/kernel/debug/hardmap.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/printk.h>
#include <linux/seq_file.h>

#include "hardmap.h"

static int pool_show(struct seq_file *file, void *unused)
{
	hm_linux_pool_print(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool);

static int pool_statistics_show(struct seq_file *file, void *unused)
{
	hm_linux_pool_statistics(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool_statistics);

static int code_show(struct seq_file *file, void *unused)
{
	hm_linux_code_print(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(code);

static int code_statistics_show(struct seq_file *file, void *unused)
{
	hm_linux_code_statistics(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(code_statistics);

/* Each piece needs the one before; the kernel goes on without those that fail. */
static int __init hm_linux_init(void)
{
	struct dentry *directory = debugfs_create_dir("hardmap", NULL), *sub;
	int error;

	debugfs_create_atomic_t("bugs", 0400, directory, &hm_linux_bugs);
	hm_linux_linear_init(directory);
	error = hm_linux_pool_init();
	if (error) {
		pr_err("hardmap: no pool of page-table pages: error %d\n", error);
		return error;
	}
	sub = debugfs_create_dir("pool", directory);
	debugfs_create_file("picture", 0400, sub, NULL, &pool_fops);
	debugfs_create_file("statistics", 0400, sub, NULL, &pool_statistics_fops);
	error = hm_linux_area_init();
	if (!error)
		error = hm_linux_code_init();
	if (error) {
		pr_err("hardmap: no cache of code: error %d\n", error);
		return error;
	}
	sub = debugfs_create_dir("code", directory);
	debugfs_create_file("picture", 0400, sub, NULL, &code_fops);
	debugfs_create_file("statistics", 0400, sub, NULL, &code_statistics_fops);
	error = hm_linux_tables_init(directory);
	if (error)
		pr_err("hardmap: the kernel's page tables are not from the pool: error %d\n",
		       error);
	return error;
}
/* Before drivers and tests, which may use it; workqueues, RCU and all CPUs are there. */
subsys_initcall(hm_linux_init);
