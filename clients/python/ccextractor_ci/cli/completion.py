"""`ci completion`: what a shell needs to complete commands and their options."""

import argparse

from ccextractor_ci.cli.parser import make_parser
from ccextractor_ci.cli.session import Session

BASH = """_ci() {{
    local words
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then words="{commands}"; fi
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _ci ci
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n" + BASH


def show(session: Session) -> int:
    """Print the completion of a shell."""
    commands = commands_of(make_parser())
    shell = session.options.shell
    if shell == "fish":
        session.output.line(_fish(commands))
        return 0
    cases = "\n".join(
        f'        {name}) words="{" ".join(options)}" ;;' for name, (_, options) in commands.items()
    )
    form = ZSH if shell == "zsh" else BASH
    session.output.line(form.format(cases=cases, commands=" ".join(commands)).rstrip("\n"))
    return 0


def _fish(commands: dict[str, tuple[str, list[str]]]) -> str:
    lines = []
    for name, (help, options) in commands.items():
        told = help.replace("'", "")
        lines.append(f"complete -c ci -n __fish_use_subcommand -a {name} -d '{told}'")
        lines += [
            f"complete -c ci -n '__fish_seen_subcommand_from {name}' -l {option.removeprefix('--')}"
            for option in options
            if option.startswith("--")
        ]
    return "\n".join(lines)


def commands_of(parser: argparse.ArgumentParser) -> dict[str, tuple[str, list[str]]]:
    """Each command's help and options."""
    (group,) = [
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    ]
    helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
    return {
        name: (
            helps.get(name, ""),
            [option for action in sub._actions for option in action.option_strings],
        )
        for name, sub in group.choices.items()
    }
