#!/bin/sh
# A tour in shell: start a program, move it round the kernels, and see that it goes on.
#   sh /root/hello.sh [KERNEL...]

say() { printf '\n== %s\n' "$*"; }

say "This is $(hostname), $(uname -sr) on $(uname -m), with $(nproc) cores to run on."

say "A pipeline: the largest five commands"
ls -l /bin/popcorn /usr/lib/tests/* 2>/dev/null | sort -rnk5 | head -n 5

say "A loop: squares"
i=1
while [ $i -le 5 ]; do
	printf '%d*%d = %d\n' $i $i $((i * i))
	i=$((i + 1))
done

if [ $# -gt 0 ]; then
	say "A traveller"
	memwalk 1 > /tmp/hello.log &
	traveller=$!
	for kernel; do
		migrate $traveller $kernel && echo "process $traveller is now on kernel $kernel"
		sleep 0.1
	done
	kill $traveller
	tail -n 3 /tmp/hello.log
fi

say "Good bye"
