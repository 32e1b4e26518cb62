# Fifty commands of busybox and a few more, whose output is the same wherever they run. One line, one subject.
cd /tmp
seq 1 400 >numbers; wc numbers
seq 1 10 | tac | tr '\n' ' '; echo
awk '{ sum += $1 } END { print NR, sum, sum / NR }' numbers
awk 'BEGIN { for (i = 1; i < 6; i++) { a[i] = i * i; printf "%05.2f|%-4s|%x\n", i / 3, "ab", a[i] } }'
sort -rn numbers | head -3
sort -k1.2 numbers | tail -2
printf 'b 2\na 10\nc 1\n' | sort -k2 -n
printf 'a\na\nb\n' | uniq -c
sha256sum numbers; sha1sum numbers; md5sum numbers; sha512sum numbers
gzip -k numbers && gunzip -c numbers.gz | cmp - numbers && echo the same
bzip2 -k numbers && bunzip2 -c numbers.bz2 | sha256sum
mkdir -p tree/a/b tree/c && touch tree/a/x tree/a/b/y && ln -s ../a/x tree/c/z && echo made
find tree | sort
find tree -type l -exec readlink {} \;
tar cf tree.tar tree && mkdir out && tar xf tree.tar -C out && find out | wc -l
tar czf tree.tgz tree && tar tzf tree.tgz | sort
ls -1 tree tree/a
cp -r tree copied && rm -r tree && mv copied moved && ls -d moved tree 2>/dev/null
printf 'the quick brown fox\njumps over the lazy dog\n' >words; cat words
tr a-z A-Z <words
cut -d' ' -f2,4 words
sed -n 's/\(o[a-z]\)/<\1>/gp; 2q' words
grep -c the words; grep -on 'o[a-z]' words; grep -v fox words
head -c 10 words; echo; tail -n 1 words
rev words; fold -w 7 words; nl words
paste words words | expand | od -c | head -4
hexdump -C words; xxd words | head -2
diff words numbers | head -3
tee copy <words | wc -c; cmp words copy && echo equal
dd if=numbers bs=100 count=2 2>/dev/null | cksum 2>/dev/null || dd if=numbers bs=100 count=2 2>/dev/null | crc32 2>/dev/null || echo no checksum
base64 words | tee encoded; base64 -d encoded | cmp - words && echo decoded
uuencode words again | uudecode -o again && cat again
xargs -n 3 echo <words
stat -c '%s %F %a' words; chmod 640 words && stat -c %a words
basename /a/b/c.txt .txt; dirname /a/b/c.txt; realpath ../tmp/./words; readlink -f moved/c/z
date -u -d @1700000000 '+%F %T'; cal 2 2024
factor 360 97; expr 6 \* 7; echo $((1 << 40)) $((7 % 3)) $((-7 / 2))
echo '2 64 ^ p' | dc; echo 'scale = 20; 22 / 7' | bc
i=0; while [ $i -lt 4 ]; do i=$((i + 1)); case $i in 2) continue ;; 4) break ;; esac; echo turn $i; done
f() { local x=$1; shift; echo "$x of $# and $*"; return 4; }; f a b c; echo $?
echo $(seq 3 | (while read n; do echo -n "$n,"; done)) "${HOME#/}" ${none:-nothing} ${#HOME}
(exit 3); echo $?; ! true; echo $?; false || echo or; test -f words -a ! -d words && echo file
sh -c 'kill -TERM $$'; echo $?; (trap 'echo trapped; exit 5' USR1; kill -USR1 $(sh -c 'echo $PPID')); echo $?
sleep 0.01 & wait $! && echo slept; timeout 5 sleep 0.01; echo $?
mkfifo pipe; echo through the pipe >pipe & cat pipe; wait
yes popcorn | head -2; seq 5 | tail -n +4
printf '1s/quick/slow/\np\nw\nq\n' | ed words 2>/dev/null; cat words
ls -l words | cut -c1-10; du -a moved | wc -l; id -u; pwd; env | grep -c PATH
cat <<here | while read -r line; do echo "[$line]"; done
one \ two
  three
here
