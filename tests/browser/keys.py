"""A person with a keyboard and nothing else: tabs to what has a name, types, presses."""

from contextlib import suppress
from pathlib import Path

from playwright.async_api import FileChooser, Page

from tests.harness.waiting import until

_MOST = 120
_PRESSES, _CHOOSER = 4, 15.0
"""How often a chooser is asked for, and how many seconds it has to open."""
_FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const labels = [...(it.labels ?? [])].map((label) => label.querySelector("span")?.innerText ?? label.innerText);
  const name = it.getAttribute("aria-label") || labels.join(" ") || it.innerText || it.value || "";
  const style = getComputedStyle(it);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return {name: name.trim(), seen, kind: it.tagName.toLowerCase(), source: it.outerHTML.slice(0, 200)};
}"""


class Keys:
    """Works a page by keyboard; whatever gets the focus on the way has to show it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.unseen: list[str] = []

    async def to(self, name: str, kind: str = "") -> None:
        """Press Tab until the element with this name has the focus."""
        passed = []
        for _ in range(_MOST):
            await self._page.keyboard.press("Tab")
            focused = await self._page.evaluate(_FOCUSED)
            if focused is None:
                continue
            if not focused["seen"]:
                self.unseen.append(focused["name"] or focused["source"])
            if focused["name"] == name and kind in ("", focused["kind"]):
                return
            passed.append(focused["name"])
        raise AssertionError(f"{name!r} cannot be reached by Tab: {passed}")

    async def write(self, name: str, text: str) -> None:
        """Go to a field and replace what is in it."""
        await self.to(name)
        await self._page.keyboard.press("Control+A")
        await self._page.keyboard.type(text)

    async def choose(self, name: str, file: Path) -> None:
        """Go to a field for a file, open its chooser by keyboard and choose one.

        The chooser is listened for before the field is reached; a busy browser that forgot the key has it once more.
        """
        opened: list[FileChooser] = []

        def come(chooser: FileChooser) -> None:  # Playwright takes no method of a list
            opened.append(chooser)

        self._page.once("filechooser", come)
        for _ in range(_PRESSES):
            await self.press(name, "Space")
            with suppress(AssertionError):  # pressed again, or told below
                await until(lambda: opened, _CHOOSER)
                break
        assert opened, f"{name!r} opens no chooser"
        await opened[0].set_files(file)

    async def press(self, name: str, key: str = "Enter", kind: str = "") -> None:
        """Go to a button or link and press it."""
        await self.to(name, kind)
        await self._page.keyboard.press(key)
