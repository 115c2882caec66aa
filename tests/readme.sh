#!/bin/sh
# README's commands and its program, as they stand there, on small data under the names that README uses. Prints TAP.
hourglass=${HOURGLASS:-$PWD/hourglass}
program=$PWD/examples/readme
tests=$(cd "${top_srcdir:-.}" && pwd)/tests
readme=$tests/../README.md
. "$tests/report.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# images NAME COUNT: an IDX file of 28x28 bytes, fewer than 256 of them; the bytes are the command's own.
images() {
    { printf '\0\0\010\003\0\0\0\'"$(printf '%o' "$2")"'\0\0\0\034\0\0\0\034'
      head -c $(($2 * 784)) "$hourglass"; } | gzip >"$1"
}
images train-images-idx3-ubyte.gz 200
images t10k-images-idx3-ubyte.gz 100

# The commands of the first block under "## The command", a line each.
sed -n '/^## The command/,/^## /p' "$readme" | awk '/^```$/ { fences++; next } fences == 1' |
    sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}' -e 's/ *#.*//' -e '/^$/d' >commands
while read -r command; do
    case $command in
    *"> "*) arguments=$command ;;                      # nothing may follow where the output goes
    *" train pca"*) arguments=$command ;;
    *" train "*) arguments="$command --epochs 1" ;;    # as README says, but for the time it takes
    *) arguments=$command ;;
    esac
    sh -c "hourglass() { '$hourglass' \"\$@\"; }; $arguments" >out 2>&1 </dev/null
    report $? "$command"
done <commands

# Its JSON declaration.
sed -n '/^```json$/,/^```$/p' "$readme" | sed '/^```/d' >mine.json
"$hourglass" check mine.json --most 1 >out 2>&1 && "$hourglass" train mine.json --data digits:count=50 --epochs 1 >>out 2>&1 &&
    [ -s runs/mine/metrics-layer2.csv ]
report $? "the declaration is proved, pre-trained and trained"

"$program" >out 2>&1 && [ -s model.safetensors ]
report $? "the program trains and saves a model"
[ "$(wc -l <commands)" -ge 8 ]
report $? "README has its commands"
echo "1..$cases"
