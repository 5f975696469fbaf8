"""Somebody in front of a browser, who has a keyboard."""

import re

from playwright.sync_api import Locator, Page, expect

_FAR = 400
"""Presses of the Tab key after which something cannot be reached."""

_SEEN = """
element => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {ring, inside};
}
"""


class Person:
    """Goes through pages by what they read on them, with the keyboard alone."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home

    def go(self, path: str) -> None:
        """Type an address."""
        self.page.goto(path.replace("http://localhost/", f"{self.home}/", 1))

    def tab_to(self, target: Locator) -> None:
        """Press Tab until it has the focus; then it shows that, and is in sight."""
        expect(target).to_have_count(1)
        handle = target.element_handle()
        for _ in range(_FAR):
            if handle.evaluate("element => element === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        else:
            raise AssertionError(f"the Tab key does not reach {target}")
        seen = handle.evaluate(_SEEN)
        assert seen == {"ring": True, "inside": True}, (target, seen)

    def write(self, label: str, text: str) -> None:
        """Write into the field with this label, in place of what stood there."""
        self.tab_to(self.field(label))
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def date(self, label: str, *, year: str, month: str, day: str) -> None:
        """Type a date in the order of this browser's own language, which is American."""
        self.tab_to(self.field(label))
        self.page.keyboard.type(f"{month}{day}{year}")
        expect(self.field(label)).to_have_value(f"{year}-{month}-{day}")

    def pick(self, label: str, option: str) -> None:
        """Choose in a list, as one does with the keyboard: by the first letters."""
        field = self.field(label)
        self.tab_to(field)
        self.page.keyboard.type(option)
        chosen = field.evaluate("list => list.selectedOptions[0].textContent.trim()")
        assert chosen.startswith(option), (option, chosen)

    def tick(self, label: str) -> None:
        """Tick a box."""
        box = self.page.get_by_role("checkbox", name=label)
        self.tab_to(box)
        self.page.keyboard.press("Space")
        expect(box).to_be_checked()

    def take(self, group: str, label: str) -> None:
        """Choose one of several round buttons, with the arrow keys."""
        choices = self.page.get_by_role("group", name=group).get_by_role("radio")
        wanted = self.page.get_by_role("group", name=group).get_by_role("radio", name=label)
        # Tab stops once in a group: at the one chosen, or else at its first.
        for _ in range(_FAR):
            if choices.evaluate_all("all => all.includes(document.activeElement)"):
                break
            self.page.keyboard.press("Tab")
        for _ in range(choices.count()):
            if wanted.evaluate("one => one === document.activeElement"):
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Space")
        expect(wanted).to_be_checked()

    def press(self, name: str, *, role: str = "button") -> None:
        """Go to a button or a link, and press Enter."""
        self.tab_to(self.page.get_by_role(role, name=name, exact=True))
        self.page.keyboard.press("Enter")

    def follow(self, name: str) -> None:
        """Follow a link."""
        self.press(name, role="link")

    def field(self, label: str) -> Locator:
        """Return the field with this label; what it says behind the name does not matter."""
        return self.page.get_by_label(re.compile(rf"^{re.escape(label)}"))

    def reads(self, text: str) -> None:
        """See a text on the page."""
        expect(self.page.get_by_text(text).first).to_be_visible()
