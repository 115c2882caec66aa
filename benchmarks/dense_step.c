/* A training step of `undercomplete`, 784-128-32-128-784. Usage: dense_step [THREADS [profile]]; 1 by default. */
#include "step.h"

int main(int argc, char *argv[])
{
    return benchmark_step("undercomplete", 50, argc, argv);
}
