# What the shell tests share: TAP, a case a line. Read with `.`; the last command's output is in the file `out`.
cases=0

report() { # report STATUS NAME
    cases=$((cases + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $cases - $2"
    else
        echo "not ok $cases - $2"
        sed 's/^/# /' out
    fi
}
