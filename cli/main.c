/* The command `hourglass`. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const hg_command *const commands[] = {
    &hg_train_command, &hg_check_command, &hg_evaluate_command, &hg_reconstruct_command, &hg_models_command, &hg_show_command,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int hg_complain(const char *format, ...)
{
    va_list arguments;
    fputs("hourglass: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return HG_EXIT_FAILURE;
}

static int print_help(void)
{
    fputs("Usage: hourglass COMMAND [ARGUMENT]...\n"
          "       hourglass COMMAND --help\n"
          "       hourglass --version\n\n"
          "Trains autoencoders and uses them.\n\n"
          "Commands:\n",
          stdout);
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    return 0;
}

static int run(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return hg_command_run(commands[i], argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help();
    if (strcmp(name, "--version") == 0)
        return hg_print_version();
    if (argc < 2)
        hg_complain("a command is missing (hourglass --help lists them)");
    else
        hg_complain("there is no command \"%s\" (hourglass --help lists them)", name);
    return HG_EXIT_USAGE;
}

int main(int argc, char *argv[])
{
    int status = run(argc, argv);
    bool written = ferror(stdout) == 0;
    errno = 0;
    if (fclose(stdout) != 0 || !written) /* a full disk shows only now */
        return hg_complain("cannot write to standard output%s%s", errno != 0 ? ": " : "",
                           errno != 0 ? strerror(errno) : "");
    return status;
}
