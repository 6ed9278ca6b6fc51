"""What `make lesson` and `make check-lesson` run: set the scene of a lesson's exercise, and say whether it is solved.

    .venv/bin/python scripts/lesson.py                            which lessons there are
    .venv/bin/python scripts/lesson.py begin 2                    set the scene, and say what there is to do
    .venv/bin/python scripts/lesson.py check 2 [--answer ORDER]   whether it is done; the exit status is 0 then

Scenes are set on the stack of `make up`, which is started if it does not run. What is changed in the tree stays.
"""

import argparse
import sys
from contextlib import closing

import httpx
from laptop.client import NotThere, Refused
from laptop.environment import ROOT
from lessons.exercises import EXERCISES
from lessons.pages import Lesson, lessons
from lessons.stage import NoScene, Stage
from operations.trouble import TROUBLE, plain
from rich.console import Console
from rich.markup import escape


def listed(known: dict[int, Lesson], console: Console) -> None:
    """Print the lessons, and which have an exercise."""
    for lesson in known.values():
        told = f"  make lesson N={lesson.number}" if lesson.number in EXERCISES else ""
        console.print(f"{lesson.number:>2}  {escape(lesson.title):<58}[dim]{told}[/dim]", highlight=False)


def begin(lesson: Lesson, stage: Stage, console: Console) -> None:
    """Set a lesson's scene, and say what there is to do."""
    exercise = EXERCISES[lesson.number]
    scene = exercise.begin(stage)
    stage.remember(scene, exercise.on_stack)
    console.print(f"\n[bold]Lesson {lesson.number}: {escape(lesson.title)}[/bold]", highlight=False)
    console.print(escape(exercise.task.format(**scene)), highlight=False, soft_wrap=True)
    console.print(f"Is it solved? make check-lesson N={lesson.number}", highlight=False)


def check(lesson: Lesson, stage: Stage, answer: str, console: Console) -> int:
    """Say whether a lesson's exercise is solved, and what is missing; returns the exit status."""
    missing = list(EXERCISES[lesson.number].missing(stage, stage.scene(), answer))
    for sentence in missing:
        console.print(f"[yellow]✗[/yellow] {escape(sentence)}", highlight=False, soft_wrap=True)
    if missing:
        console.print(f"Not solved yet. A solution is in {lesson.page.relative_to(ROOT)}.", highlight=False)
        return 1
    console.print(f"[green]✓[/green] Lesson {lesson.number} is solved.", highlight=False)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Set the scene of a lesson's exercise, and say whether it is solved.")
    parser.add_argument("what", nargs="?", choices=("begin", "check"), help="what to do; by default, list the lessons")
    parser.add_argument("number", nargs="?", type=int, help="the lesson's")
    parser.add_argument("--answer", default="", help="what was found, where that is asked for")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    known = lessons()
    if options.number is None:
        listed(known, console)
        return 0
    if options.number not in known:
        parser.error(f"there is no lesson {options.number}")
    lesson = known[options.number]
    if options.number not in EXERCISES:
        console.print(f"Lesson {lesson.number} has no exercise: read and run {lesson.page.relative_to(ROOT)}.")
        return int(options.what == "check")
    try:
        with closing(Stage(console, lesson.number)) as stage:
            if options.what == "check":
                return check(lesson, stage, options.answer, console)
            begin(lesson, stage, console)
    except (NoScene, NotThere, Refused, httpx.HTTPError, *TROUBLE) as error:
        console.print(f"[red]✗[/red] {escape(plain(error))}", highlight=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
