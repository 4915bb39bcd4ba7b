"""The desk's fields and buttons, as Playwright finds them on a page."""

import time


def field(page, label, value=None):
    box = page.locator(f".jupyter-widgets:has(> label:text-is('{label}')) >> visible=true").last.locator("input")
    if value is not None:
        box.fill(str(value))
        box.press("Enter")
    return box


def press(page, name):
    page.locator(f"button.jupyter-button:text-is('{name}') >> visible=true").click()
    time.sleep(0.5)
