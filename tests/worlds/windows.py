"""People at their browsers: each in a window of their own, signed in by the pool's own page, at the console."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from laptop import Stack, web
from laptop.pace import patience
from laptop.people import Person, somebody
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize, expect

from worlds import chromium
from worlds.polling import eventually

PICTURES = "TIFFIN_PICTURES"
"""Environment variable: a folder that pictures of pages are put into; without it none are taken."""
NARROW: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1280, "height": 900}
LOOKS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# After the next two frames, and once whatever moves has arrived: until then a colour may be one that is on its way.
_AT_REST = """() => new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)))
  .then(() => Promise.allSettled(document.getAnimations().map(animation => animation.finished)))
  .then(() => null)"""
# When a page first shows an element with a text, by its own clock; the text may be of several that follow one another.
_WATCH = """([where, text]) => {
  window.shownAt = null;
  const watching = new MutationObserver(() => {
    if (![...document.querySelectorAll(where)].some(each => each.textContent.includes(text))) return;
    watching.disconnect();
    window.shownAt = Date.now();
  });
  watching.observe(document, {attributes: true, characterData: true, childList: true, subtree: true});
}"""
# What React Aria has said aloud stays for seven seconds where nobody sees it, by the id of a button that may be gone.
_RUN = "() => axe.run({exclude: ['[data-live-announcer]']}, {resultTypes: ['violations']})"
# What can be pressed, and lies beyond an edge. What scrolls by itself, as a table does, says so with a shadow.
_BEYOND = """() => [...document.querySelectorAll('a, button, input, select, [role=tab]')]
  .filter(each => each.checkVisibility() && !each.closest('[role=group][tabindex="0"]'))
  .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth)
  .map(each => each.textContent || each.ariaLabel || each.outerHTML.slice(0, 160))"""
_AXE = web.FOLDER / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Window:
    """Somebody's browser.

    Attributes:
        person: who looks.
        page: what they look at.
        complaints: what the page raised or was refused by its own policy, in the browser's words.
    """

    person: Person
    page: Page
    stack: Stack
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page by its address, as by a link in a mail; who is signed in stays so no longer."""
        self.page.goto(self.stack.outputs[web.URL] + path)

    def sign_in(self, path: str | None = None) -> None:
        """Sign in, and come back to where one was."""
        if path is not None:
            self.go(path)
        self.page.get_by_role("banner").get_by_role("button", name="Sign in").click()
        self.page.get_by_label("Username").fill(self.person.email)
        self.page.get_by_label("Password").fill(self.stack.people.password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def heading(self, name: str | re.Pattern[str]) -> None:
        """Wait for the page that is called so."""
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name).click()

    def order_id(self) -> str:
        """Of the order that is looked at."""
        self.page.wait_for_url(re.compile(r"/orders/ord_"))
        return self.page.url.rpartition("/")[2]

    def watch(self, where: str, text: str) -> None:
        """Note when the page comes to show something.

        Args:
            where: a CSS selector of the element that has it.
            text: its own, or a part of it.
        """
        self.page.evaluate(_WATCH, [where, text])

    def shown_after(self, moment: float) -> float:
        """Wait until the page has shown what was watched for.

        Args:
            moment: epoch seconds.

        Returns:
            How many seconds after it that was.
        """
        eventually(lambda: self.page.evaluate("() => window.shownAt !== null"))
        shown: float = self.page.evaluate("() => window.shownAt")
        return shown / 1000 - moment

    def axe(self) -> list[str]:
        """What the page does not do for everybody: the rules of axe that it breaks, with where."""
        self.page.evaluate(_AXE.read_text("utf-8"))
        self.page.evaluate(_AT_REST)
        found: dict[str, Any] = self.page.evaluate(_RUN)
        return [
            f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def is_for_everybody(self) -> None:
        """Axe finds nothing, light or dark."""
        for look in reversed(LOOKS):
            self.page.emulate_media(color_scheme=look)
            if found := self.axe():
                raise AssertionError(f"{look}: " + "; ".join(found))

    def fits_a_phone(self) -> None:
        """Nothing that can be pressed lies beyond the edge of a phone's window, and nothing else makes it wider."""
        before = self.page.viewport_size
        self.page.set_viewport_size(NARROW)
        self.page.evaluate(_AT_REST)
        beyond: list[str] = self.page.evaluate(_BEYOND)
        assert beyond == []
        wider = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(wider) <= 0
        if before:
            self.page.set_viewport_size(before)

    def picture(self, name: str) -> None:
        """Take pictures of the page, light and dark, narrow and wide, if somebody asked for pictures."""
        folder = os.environ.get(PICTURES)
        if not folder:
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        for shape, size in (("wide", WIDE), ("narrow", NARROW)):
            self.page.set_viewport_size(size)
            for look in LOOKS:
                self.page.emulate_media(color_scheme=look)
                self.page.screenshot(path=Path(folder) / f"{name}-{look}-{shape}.png", animations="disabled")
        self.page.emulate_media(color_scheme="light")
        if before:
            self.page.set_viewport_size(before)


class Room:
    """All windows onto one stack.

    Args:
        browser: runs them.
        stack: serves the console.
    """

    def __init__(self, browser: Browser, stack: Stack) -> None:
        self._browser, self.stack = browser, stack
        self._contexts = list[BrowserContext]()
        self._windows = list[Window]()

    def window(self, name: str, beside: Window | None = None, **options: Any) -> Window:
        """Somebody's new window, or tab.

        Args:
            name: whose: somebody who is known here, or a new customer.
            beside: the window whose next tab it is.
            options: of the browser's context, such as `viewport`.
        """
        person = somebody(name)
        self.stack.people.token(person)  # so that there is an account
        if beside:
            context = beside.page.context
        else:
            # Without motion: colours that are on their way from light to dark have any contrast.
            context = self._browser.new_context(
                **{"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options}
            )
            context.set_default_timeout(patience(10) * 1000)
            self._contexts.append(context)
        # As patient as the machine needs now, and not as it did when the browser was started.
        expect.set_options(timeout=patience(10) * 1000)
        window = Window(person, context.new_page(), self.stack)
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        window.page.on(
            "console",
            lambda said: window.complaints.append(said.text) if "Content Security Policy" in said.text else None,
        )
        self._windows.append(window)
        return window

    def leave(self) -> list[str]:
        """Close all windows.

        Returns:
            What their pages complained of.
        """
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        complaints = [complaint for window in self._windows for complaint in window.complaints]
        self._windows.clear()
        return complaints


@contextmanager
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The system's own browser, which needs no download."""
    program = chromium.program()
    assert program is not None
    running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
    expect.set_options(timeout=patience(10) * 1000)  # of pages that are in no window's context
    try:
        yield running
    finally:
        running.close()
