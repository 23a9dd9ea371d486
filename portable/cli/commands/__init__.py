"""The commands, one file each, in the order of the help."""

from portable.cli.command import Command
from portable.cli.commands import (
    backends,
    check,
    compare,
    export,
    import_,
    rules,
    run,
    show,
    validate,
    validate_file,
)

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        run.COMMAND,
        compare.COMMAND,
        validate.COMMAND,
        show.COMMAND,
        check.COMMAND,
        backends.COMMAND,
        rules.COMMAND,
        import_.COMMAND,
        export.COMMAND,
        validate_file.COMMAND,
    )
}
