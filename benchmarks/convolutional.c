/* Training steps of `convolutional` and `convolutional-deep`. Usage: convolutional [THREADS [profile]]; 1 by default. */
#include "step.h"

int main(int argc, char *argv[])
{
    const int status = benchmark_step("convolutional", 35, argc, argv);
    return status != 0 ? status : benchmark_step("convolutional-deep", 0, argc, argv);
}
