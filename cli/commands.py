"""How commands are made: an async function with a `Session` first becomes a command with `--data` and `--json`.

`@command(app, "name")` hides the plumbing: it opens the session, runs the function, prints what went wrong as
`code: message (field, line)` and ends with the exit code: 0 done, 1 a check failed, 2 refused, 3 nobody answers. A
parameter that is a dataclass stands for options that several commands have: one for each of its fields.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from pydantic import ValidationError

from cli.errors import CliError, InputError
from cli.output import Output
from cli.session import Work, session
from shared.contracts.principals import PERMISSIONS

DataOption = Annotated[
    Path, typer.Option("--data", envvar="POSTHASTE_DATA_DIR", help="Data folder of the installation on this machine.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables, also for refusals.")]
KeyOption = Annotated[
    str, typer.Option("--key", help="Idempotency key: the same request with the same key is done once.")
]
AfterOption = Annotated[str, typer.Option("--after", help="Go on after this cursor (`next` of the page before).")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Rows at most.")]
PermissionOption = Annotated[
    list[str],
    typer.Option(
        "--permission", help=f"One of {', '.join(PERMISSIONS)}; repeatable. `all` is all of them.", default_factory=list
    ),
]
MailingArgument = Annotated[str, typer.Argument(metavar="MAILING", help="Id of the mailing.")]


def group(name: str, text: str) -> typer.Typer:
    """Return a group of commands."""
    return typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode="markdown")


def command(app: typer.Typer, name: str) -> Callable[[Work], Work]:
    """Make `work` the command `name` of `app`; its docstring is the help."""

    def register(work: Work) -> Work:
        @wraps(work)
        def run(**arguments: Any) -> None:  # noqa: ANN401 - whatever the command takes
            out = Output(as_json=arguments.pop("as_json"))
            data = arguments.pop("data")
            try:
                uvloop.run(_run(work, out, data, _gathered(own.values(), arguments)))
            except CliError as error:
                out.error(error)
                raise typer.Exit(error.exit_code) from error
            except ValidationError as error:
                failed = _invalid(error)
                out.error(failed)
                raise typer.Exit(failed.exit_code) from error
            except KeyboardInterrupt as error:  # the person had enough
                raise typer.Exit(130) from error
            except BrokenPipeError as error:  # the reader of our output went away: not our concern
                _forget_output()
                raise typer.Exit(0) from error

        own = inspect.signature(work, eval_str=True).parameters
        given = [option for each in own.values() if each.name != "session" for option in _options(each)]
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter("data", keyword, default=Path("data"), annotation=DataOption),
            inspect.Parameter("as_json", keyword, default=False, annotation=JsonOption),
        ]
        parameters = [parameter.replace(kind=keyword) for parameter in given] + added
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(run)
        return work

    return register


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return the options that a parameter stands for: itself, or the fields of its dataclass."""
    if not is_dataclass(parameter.annotation):
        return [parameter]
    return [
        parameter.replace(name=each.name, default=_default(each), annotation=each.type)
        for each in fields(parameter.annotation)
    ]


def _default(option: Field[Any]) -> Any:  # noqa: ANN401 - whatever the option is
    if option.default_factory is not MISSING:
        return option.default_factory()
    return inspect.Parameter.empty if option.default is MISSING else option.default


def _gathered(own: Iterable[inspect.Parameter], given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, the options of each dataclass put together."""
    for parameter in own:
        kind: Any = parameter.annotation
        if is_dataclass(kind):
            given[parameter.name] = kind(**{each.name: given.pop(each.name) for each in fields(kind)})  # type: ignore[operator]
    return given


async def _run(work: Work, out: Output, data: Path, arguments: dict[str, Any]) -> None:
    async with session(out, data) as opened:
        await work(opened, **arguments)
        await asyncio.sleep(0)


def _invalid(error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return InputError("invalid", f"{first['msg']}" + (f" ({place})" if place else ""))


def _forget_output() -> None:
    """Let nothing be flushed into the closed pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
