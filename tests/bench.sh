#!/bin/sh
# The benchmark program runs what it names, counts no allocation in a step, and refuses what it does not know. Prints TAP.
bench=${BENCH:-$PWD/benchmarks/bench}
tests=$(cd "${top_srcdir:-.}" && pwd)/tests
. "$tests/report.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

"$bench" --quick --only training --only ops --only dense --only relu --only "matmul 32x128x128" --json bench.json >out 2>&1
report $? "a workload and two ops run"
grep -q '"processor"' bench.json
report $? "the results are written as JSON"
grep -q '"percent_of_peak"' bench.json && grep -q '"forward_bytes_per_second"' bench.json &&
    grep -q '"forward_flops_per_second"' bench.json
report $? "with figures for the workload and for both kinds of ops"
! grep '"allocations"' bench.json | grep -qv ': 0,*$'
report $? "a step of training allocates nothing"
"$bench" --only nothing >out 2>&1
[ $? -eq 1 ] && grep -q 'there is nothing named nothing' out
report $? "a name that is not known is refused"
"$bench" --quick --only dense --torch /nonexistent >out 2>&1
[ $? -eq 1 ] && grep -q '/nonexistent' out
report $? "a Python that is not there is refused by its name"
echo "1..$cases"
