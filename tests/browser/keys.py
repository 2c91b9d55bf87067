"""A person with a keyboard and nothing else: tabs to what has a name, types, presses."""

from playwright.async_api import Page

_MOST = 120
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

    async def press(self, name: str, key: str = "Enter", kind: str = "") -> None:
        """Go to a button or link and press it."""
        await self.to(name, kind)
        await self._page.keyboard.press(key)
