#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# mutants.sh [NAME...] -- plants mistakes in the Linux port, one at a time, in the cached tree of kernel.sh, and fails if the tests
# in the kernel do not find one: KUnit has to say "not ok", or the kernel to crash. A minute each.
#
# A mistake is: name, file of ports/linux, how the kernel is started (plain, store or window keys), an expression for sed.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)

mutants() {
	cat <<-'END'
		exception-not-pushed context.c plain s/return hm_context_exception_push();/return (hm_context_exception_t){};/
		exception-not-popped context.c window s/^	hm_context_exception_pop(interrupted);//
		softirq-not-pushed context.c plain /softirq_push/,/^}/s/return hm_.*/return (hm_context_exception_t){};/
		level-stays-at-switch context.c window s/return hm_context_switch_out();/return (hm_context_switch_t){};/
		level-lost-at-switch context.c window s/^	hm_context_switch_in(away);//
		new-task-not-idle context.c plain s/hm_context_reuse(context);//
		alias-stays-open code.c plain s/alias == HM_ROX_CACHE_CLOSED ?/0 ?/
		alias-has-no-key code.c store s/alias == HM_ROX_CACHE_MEMORY ?/1 ?/
		block-not-unmapped code.c plain s/hm_pte_clear(entry);//
		key-not-set linear.c window s/error = hm_direct_map_set_pkey(.*/error = 0;/
		key-stays linear.c store /^int hm_linux_linear_set_key/,/^}/s/^	mutex_lock(/	key |= 1; mutex_lock(/
		page-given-twice pool.c plain s/^	while (n--)/	__free_page(page); while (n--)/
		unlinked-table-kept area.c plain s/schedule_work(&free_unlinked_work);//
	END
}

build=$("$here/kernel.sh")
tree=$(dirname "$build")/source
initramfs=$(mktemp)
log=$(mktemp)
# The tree is as it was, whatever happens.
trap '"$here/../../ports/linux/install.sh" "$tree"; rm -f "$initramfs" "$log"' EXIT
trap 'exit 1' HUP INT TERM
"$here/initramfs.sh" arm64 "$initramfs"

make_image() {
	make -s -C "$tree" "O=$build" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- "-j$(nproc)" Image >"$log" 2>&1
}

# start WAY: the log has what the kernel says.
start() {
	case $1 in
	store) qemu=$("$here/../qemu/emulator.sh" gcs) ;;
	window) qemu=$("$here/../qemu/emulator.sh" poe) ;;
	*) qemu= ;;
	esac
	"$here/boot.sh" ${qemu:+-q "$qemu"} -t 120 "$build/arch/arm64/boot/Image" "$initramfs" \
		"log_buf_len=4M printk.devkmsg=on hardmap.test=kunit kunit.filter_glob=hardmap_linux_*" \
		>"$log" 2>&1 || :
}

missed=0
found=0
mutants >"$initramfs.list"
while read -r name file way expression; do
	[ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	"$here/../../ports/linux/install.sh" "$tree"
	sed -i "$expression" "$tree/lib/hardmap/$file"
	if cmp -s "$here/../../ports/linux/$file" "$tree/lib/hardmap/$file"; then
		echo "not ok - $name: it changes nothing"
		missed=$((missed + 1))
		continue
	fi
	make_image </dev/null || {
		echo "not ok - $name: it does not compile"
		sed 's/^/# /' "$log" | tail -n 5
		missed=$((missed + 1))
		continue
	}
	start "$way"
	if python3 "$here/ktap.py" "$log" kunit >"$initramfs.tap"; then
		echo "not ok - $name: no test finds it"
		missed=$((missed + 1))
	else
		echo "ok - $name: $(grep -m 1 '^not ok' "$initramfs.tap" | sed 's/^not ok [0-9]* - //')"
		found=$((found + 1))
	fi
done <"$initramfs.list"
rm -f "$initramfs.list" "$initramfs.tap"
echo "# $found found, $missed missed"
[ "$missed" = 0 ]
