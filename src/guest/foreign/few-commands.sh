# Some of commands.sh, for machines of many kernels: files, pipes, signals, a FIFO. One line, one subject.
cd /tmp
seq 1 100 >numbers; wc numbers
seq 1 10 | tac | tr '\n' ' '; echo
awk '{ sum += $1 } END { print NR, sum, sum / NR }' numbers
sort -rn numbers | head -3
sha256sum numbers
gzip -k numbers && gunzip -c numbers.gz | cmp - numbers && echo the same
mkdir -p tree/a && touch tree/a/x && ln -s a/x tree/z && find tree | sort
i=0; while [ $i -lt 4 ]; do i=$((i + 1)); case $i in 2) continue ;; 4) break ;; esac; echo turn $i; done
echo $(seq 3 | (while read n; do echo -n "$n,"; done)) "${HOME#/}"
(exit 3); echo $?; sh -c 'kill -TERM $$'; echo $?
(trap 'echo trapped; exit 5' USR1; kill -USR1 $(sh -c 'echo $PPID')); echo $?
sleep 0.001 & wait $! && echo slept
mkfifo pipe; echo through the pipe >pipe & cat pipe; wait
