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

work=$(mktemp -d)
# The tree is as it was, whatever happens: kernel.sh puts hardmap into it anew.
trap 'rm -rf "$work"; "$here/kernel.sh" -k >/dev/null' EXIT
trap 'exit 1' HUP INT TERM
"$here/initramfs.sh" arm64 "$work/initramfs"
log=$work/log
# What kernel.sh puts hardmap into a tree with. Where a mistake changes nothing, there is a file "same".
cat >"$work/install" <<-END
	#!/bin/sh
	set -eu
	"$here/../../ports/linux/install.sh" "\$1"
	sed -i "\$EXPRESSION" "\$1/lib/hardmap/\$FILE"
	! cmp -s "$here/../../ports/linux/\$FILE" "\$1/lib/hardmap/\$FILE" || : >"$work/same"
END
chmod +x "$work/install"

# start WAY BUILD: the log has what the kernel says.
start() {
	case $1 in
	store) qemu=$("$here/../qemu/emulator.sh" gcs) ;;
	window) qemu=$("$here/../qemu/emulator.sh" poe) ;;
	*) qemu= ;;
	esac
	"$here/boot.sh" ${qemu:+-q "$qemu"} -t 120 "$2/arch/arm64/boot/Image" "$work/initramfs" \
		"log_buf_len=4M printk.devkmsg=on hardmap.test=kunit kunit.filter_glob=hardmap_linux_*" \
		>"$log" 2>&1 || :
}

missed=0
found=0
mutants >"$work/list"
while read -r name file way expression; do
	[ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	rm -f "$work/same"
	build=$(HARDMAP_LINUX_INSTALL=$work/install FILE=$file EXPRESSION=$expression "$here/kernel.sh" 2>"$log" </dev/null) ||
		build=
	why=
	if [ -f "$work/same" ]; then
		why='it changes nothing'
	elif [ -z "$build" ]; then
		sed 's/^/# /' "$log" | tail -n 5
		why='it does not compile'
	else
		start "$way" "$build"
		! python3 "$here/ktap.py" "$log" kunit >"$work/tap" || why='no test finds it'
	fi
	if [ -n "$why" ]; then
		echo "not ok - $name: $why"
		missed=$((missed + 1))
	else
		echo "ok - $name: $(grep -m 1 '^not ok' "$work/tap" | sed 's/^not ok [0-9]* - //')"
		found=$((found + 1))
	fi
done <"$work/list"
echo "# $found found, $missed missed"
[ "$missed" = 0 ]
