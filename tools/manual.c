/* SPDX-License-Identifier: Apache-2.0 */
/* Man pages (man(7)), bash completion and the overview, from the tables of the commands. */
#include "commands.h"

#include <ctype.h>
#include <string.h>

void manual_usage(struct atoll_buf *out)
{
    atoll_buf_puts(out, "Usage: atoll COMMAND [options] FILES\n\n"
                        "Plans, simulates and measures neural-network inference on boards with "
                        "several Edge TPUs.\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        atoll_buf_printf(out, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
    }
    atoll_buf_puts(out,
                   "\n\"atoll COMMAND --help\" shows the options of a command, \"atoll "
                   "--version\" the version.\n"
                   "A model is a .tflite file or zoo:NAME, for example "
                   "zoo:mobilenet_v2?alpha=0.5.\n\n"
                   "Exit codes: 0 done; 1 the answer is no; 2 usage; 3 bad input; 4 device or "
                   "meter; 5 the machine\n(disk full, no memory) or a fault of atoll's own.\n");
}

/* Text of a man page: a backslash and a line that begins with a dot would be commands. */
static void put_roff(struct atoll_buf *out, const char *text)
{
    bool line_begins = true;
    for (; *text; text++) {
        if (line_begins && (*text == '.' || *text == '\'')) {
            atoll_buf_puts(out, "\\&");
        }
        if (*text == '\\') {
            atoll_buf_puts(out, "\\e");
        } else if (*text == '-') {
            atoll_buf_puts(out, "\\-");
        } else {
            atoll_buf_append(out, text, 1);
        }
        line_begins = *text == '\n';
    }
}

static void put_upper(struct atoll_buf *out, const char *name)
{
    for (; *name; name++) {
        const char letter = *name == ' ' ? '-' : (char)toupper((unsigned char)*name);
        atoll_buf_append(out, &letter, 1);
    }
}

static void put_option(struct atoll_buf *out, const struct opt *o)
{
    struct atoll_buf spelled = {0};
    opt_spell(o, &spelled);
    atoll_buf_puts(out, ".TP\n.B ");
    put_roff(out, spelled.data ? spelled.data : "");
    atoll_buf_puts(out, "\n");
    put_roff(out, o->help);
    for (unsigned i = 0; o->choices && o->choices[i]; i++) {
        atoll_buf_printf(out, "%s%s",
                         i == 0              ? ": "
                         : o->choices[i + 1] ? ", "
                                             : " or ",
                         o->choices[i]);
    }
    if (o->fallback) {
        atoll_buf_puts(out, " (default: ");
        put_roff(out, o->fallback);
        atoll_buf_puts(out, ")");
    }
    atoll_buf_puts(out, ".\n");
    if (o->example) {
        atoll_buf_puts(out, ".br\n.I ");
        put_roff(out, o->example);
        atoll_buf_puts(out, "\n");
    }
    atoll_buf_finish(&spelled);
}

static void put_title(struct atoll_buf *out, const char *name)
{
    atoll_buf_puts(out, ".TH ATOLL");
    if (name) {
        atoll_buf_puts(out, "-");
        put_upper(out, name);
    }
    atoll_buf_printf(out, " 1 \"\" \"atoll %s\" \"User commands\"\n", ATOLL_VERSION);
}

static void put_command_page(struct atoll_buf *out, const struct command *c)
{
    put_title(out, c->name);
    atoll_buf_puts(out, ".SH NAME\natoll\\-");
    for (const char *at = c->name; *at; at++) {
        atoll_buf_puts(out, *at == ' ' ? "\\-" : (char[]){*at, '\0'});
    }
    atoll_buf_puts(out, " \\- ");
    put_roff(out, c->summary);
    atoll_buf_printf(out, "\n.SH SYNOPSIS\n.B atoll %s\n[options] ", c->name);
    put_roff(out, c->operands);
    atoll_buf_puts(out, "\n");
    if (c->text) {
        atoll_buf_puts(out, ".SH DESCRIPTION\n");
        put_roff(out, c->text);
        atoll_buf_puts(out, "\n");
    }
    atoll_buf_puts(out, ".SH OPTIONS\n");
    for (const struct opt *o = c->opts; o && o->long_name; o++) {
        put_option(out, o);
    }
    for (const struct opt *o = opt_common_table; o->long_name; o++) {
        put_option(out, o);
    }
    atoll_buf_puts(out, ".SH EXAMPLE\n.nf\n");
    put_roff(out, c->example);
    atoll_buf_puts(out, "\n.fi\n.SH EXIT STATUS\n0 done; 1 the answer is no; 2 usage; 3 bad input; "
                        "4 device or meter; 5 the machine or a fault of atoll's own.\n"
                        ".SH SEE ALSO\n.BR atoll (1)\n");
}

static void put_overview(struct atoll_buf *out)
{
    put_title(out, NULL);
    atoll_buf_puts(out, ".SH NAME\natoll \\- inference on boards with several Edge TPUs\n"
                        ".SH SYNOPSIS\n.B atoll\nCOMMAND [options] FILES\n.SH DESCRIPTION\n"
                        "Plans, simulates and measures neural\\-network inference on boards with "
                        "several Edge TPUs.\n.SH COMMANDS\n");
    for (size_t i = 0; commands[i]; i++) {
        atoll_buf_printf(out, ".TP\n.B %s\n", commands[i]->name);
        put_roff(out, commands[i]->summary);
        atoll_buf_puts(out, ".\n");
    }
}

void manual_page(const struct command *c, struct atoll_buf *out)
{
    if (c) {
        put_command_page(out, c);
    } else {
        put_overview(out);
    }
}

/* ------------------------------------------------------------------ completion */

static void put_words(struct atoll_buf *out, const struct opt *table)
{
    for (const struct opt *o = table; o && o->long_name; o++) {
        atoll_buf_printf(out, " --%s", o->long_name);
        if (o->short_name) {
            atoll_buf_printf(out, " -%c", o->short_name);
        }
    }
}

static void put_choices(struct atoll_buf *out, const struct command *c)
{
    for (const struct opt *o = c->opts; o && o->long_name; o++) {
        if (o->choices) {
            atoll_buf_printf(out, "    '%s --%s') words='", c->name, o->long_name);
            for (unsigned i = 0; o->choices[i]; i++) {
                atoll_buf_printf(out, i ? " %s" : "%s", o->choices[i]);
            }
            atoll_buf_puts(out, "' ;;\n");
        }
    }
}

/* First words, and the second words of those that have them. */
static void put_names(struct atoll_buf *out)
{
    atoll_buf_puts(out, "    '') words='--help --version");
    const char *last = "";
    for (size_t i = 0; commands[i]; i++) {
        const size_t n = strcspn(commands[i]->name, " ");
        if (strncmp(last, commands[i]->name, n) != 0 || last[n] != commands[i]->name[n]) {
            atoll_buf_printf(out, " %.*s", (int)n, commands[i]->name);
        }
        last = commands[i]->name;
    }
    atoll_buf_puts(out, "' ;;\n");
    for (size_t i = 0; commands[i]; i++) {
        const size_t n = strcspn(commands[i]->name, " ");
        if (!commands[i]->name[n] ||
            (i > 0 && strncmp(commands[i - 1]->name, commands[i]->name, n + 1) == 0)) {
            continue;
        }
        atoll_buf_printf(out, "    '%.*s') words='", (int)n, commands[i]->name);
        for (size_t k = i; commands[k] && strncmp(commands[k]->name, commands[i]->name, n + 1) == 0;
             k++) {
            atoll_buf_printf(out, k > i ? " %s" : "%s", commands[k]->name + n + 1);
        }
        atoll_buf_puts(out, "' ;;\n");
    }
}

void manual_completion(struct atoll_buf *out)
{
    atoll_buf_puts(out, "# bash completion for atoll, generated from its option tables\n"
                        "_atoll() {\n"
                        "  local cur=${COMP_WORDS[COMP_CWORD]} prev= key= words= first second\n"
                        "  [ \"$COMP_CWORD\" -gt 1 ] && prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                        "  first=${COMP_WORDS[1]} second=${COMP_WORDS[2]}\n"
                        "  [ \"$COMP_CWORD\" -gt 1 ] && key=$first\n"
                        "  [ \"$COMP_CWORD\" -gt 2 ] && case \"$first $second\" in\n");
    for (size_t i = 0; commands[i]; i++) {
        if (strchr(commands[i]->name, ' ')) {
            atoll_buf_printf(out, "    '%s') key='%s' ;;\n", commands[i]->name, commands[i]->name);
        }
    }
    atoll_buf_puts(out, "  esac\n  case \"$key $prev\" in\n");
    for (size_t i = 0; commands[i]; i++) {
        put_choices(out, commands[i]);
    }
    atoll_buf_puts(out, "  esac\n  [ -z \"$words\" ] && case \"$key\" in\n");
    put_names(out);
    for (size_t i = 0; commands[i]; i++) {
        atoll_buf_printf(out, "    '%s') words='", commands[i]->name);
        put_words(out, commands[i]->opts);
        put_words(out, opt_common_table);
        atoll_buf_puts(out, "' ;;\n");
    }
    atoll_buf_puts(out, "  esac\n"
                        "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                        "  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                        "}\n"
                        "complete -o filenames -F _atoll atoll\n");
}
