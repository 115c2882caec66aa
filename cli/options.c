/* Subcommands by their tables: parsing and help. */
#include "config.h"

#include "cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 32, FIRST_LONG = 256, HELP = FIRST_LONG + MOST_OPTIONS };

static int count_options(const hg_command *command)
{
    int count = 0;
    while (command->options[count].name != NULL)
        count++;
    return count;
}

/* ---- Help ----------------------------------------------------------------------------------------------- */

static void print_option(char letter, const char *name, const char *argument, const char *help)
{
    char left[64], dash[8] = "    ";
    if (letter != '\0')
        snprintf(dash, sizeof dash, "-%c, ", letter);
    snprintf(left, sizeof left, "%s--%s%s%s", dash, name, argument != NULL ? " " : "", argument != NULL ? argument : "");
    printf("  %-26s %s\n", left, help);
}

static int print_help(const hg_command *command)
{
    printf("Usage: hourglass %s%s%s [OPTION]...\n\n%s.\n", command->name, *command->arguments != '\0' ? " " : "",
           command->arguments, command->summary);
    if (command->details != NULL)
        printf("\n%s", command->details);
    puts("\nOptions:");
    for (const hg_option *option = command->options; option->name != NULL; option++)
        print_option(option->letter, option->name, option->argument, option->help);
    print_option('h', "help", NULL, "show this help");
    return 0;
}

static int misuse(const hg_command *command, const char *what, const char *name)
{
    hg_complain("%s: %s%s (see hourglass %s --help)", command->name, what, name, command->name);
    return HG_EXIT_USAGE;
}

/* ---- Parsing -------------------------------------------------------------------------------------------- */

static int set_option(const hg_option *option, const char *text, void *options)
{
    static const hg_field_type types[] = {
        [HG_OPTION_INT] = HG_FIELD_INT,
        [HG_OPTION_NUMBER] = HG_FIELD_NUMBER,
        [HG_OPTION_FLAG] = HG_FIELD_BOOL,
    };
    hg_error error = { 0 };
    if (option->type == HG_OPTION_TEXT) {
        memcpy((char *)options + option->offset, &text, sizeof text);
        return 0;
    }
    hg_field field = { .name = option->name, .type = types[option->type], .offset = option->offset,
                       .range = option->range };
    if (hg_field_set(&field, options, text, "--", &error) == HG_OK)
        return 0;
    hg_complain("%s", error.text);
    return HG_EXIT_USAGE;
}

/* The tables in getopt's form. */
static void fill(const hg_command *command, struct option longs[MOST_OPTIONS + 2], char shorts[2 * MOST_OPTIONS + 4])
{
    int count = count_options(command);
    strcpy(shorts, ":h");
    for (int i = 0; i < count; i++) {
        const hg_option *option = &command->options[i];
        bool takes = option->type != HG_OPTION_FLAG;
        longs[i] = (struct option){ option->name, takes ? required_argument : no_argument, NULL, FIRST_LONG + i };
        if (option->letter != '\0')
            sprintf(shorts + strlen(shorts), "%c%s", option->letter, takes ? ":" : "");
    }
    longs[count] = (struct option){ "help", no_argument, NULL, HELP };
    longs[count + 1] = (struct option){ 0 };
}

static const hg_option *option_of(const hg_command *command, int code)
{
    if (code >= FIRST_LONG)
        return &command->options[code - FIRST_LONG];
    const hg_option *option = command->options;
    while (option->letter != code)
        option++;
    return option;
}

static int parse(const hg_command *command, int argc, char *argv[], void *options, bool *help)
{
    struct option longs[MOST_OPTIONS + 2];
    char shorts[2 * MOST_OPTIONS + 4];
    int code;
    fill(command, longs, shorts);
    opterr = 0;
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (code == 'h' || code == HELP)
            return *help = true, 0;
        if (code == ':')
            return misuse(command, "a value is missing after ", argv[optind - 1]);
        if (code == '?')
            return misuse(command, "not an option, or one with a value it does not take: ", argv[optind - 1]);
        const hg_option *option = option_of(command, code);
        int status = set_option(option, option->type == HG_OPTION_FLAG ? "true" : optarg, options);
        if (status != 0)
            return status;
    }
    int given = argc - optind;
    if (given < command->positionals)
        return misuse(command, "missing: ", command->arguments);
    return given > command->positionals ? misuse(command, "one argument too many: ", argv[argc - 1]) : 0;
}

int hg_command_run(const hg_command *command, int argc, char *argv[])
{
    bool help = false;
    void *options = calloc(1, command->size + 1);
    if (options == NULL)
        return hg_complain("out of memory");
    if (command->initial != NULL)
        memcpy(options, command->initial, command->size);
    int status = parse(command, argc, argv, options, &help);
    if (status == 0)
        status = help ? print_help(command) : command->run(argv + optind, options);
    free(options);
    return status;
}
