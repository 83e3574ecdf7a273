# SPDX-License-Identifier: Apache-2.0
"""The connection form as users see it, in its two versions: Airflow 2's page, and Airflow 3's dialog."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")
TIMEOUT = 20  # seconds for any change of a page
STANDARD = ("host", "login", "password")
QUIET = (
    "--headless=new",
    "--no-sandbox",  # required for root in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1100,1300",
)


def chromium(binary: str, driver: str, profile: Path) -> webdriver.Chrome:
    """Start a browser with an empty profile and without background requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


@dataclass(frozen=True)
class FieldView:
    """One field as the form shows it."""

    label: str
    value: str
    placeholder: str
    help: str
    masked: bool


class Form(ABC):
    """The form of one connection."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    @abstractmethod
    def new(self, conn_id: str, conn_type: str, hook_name: str) -> None:
        """Open the form for a new connection."""

    @abstractmethod
    def reopen(self, conn_id: str, conn_type: str) -> None:
        """Open the form of a saved connection."""

    @abstractmethod
    def names(self) -> set[str]:
        """Return the names of the visible fields."""

    @abstractmethod
    def control(self, name: str) -> WebElement:
        """Return the input element of a field."""

    @abstractmethod
    def choices(self, name: str) -> list[str]:
        """Return the choices of a list."""

    @abstractmethod
    def choose(self, name: str, choice: str) -> None:
        """Select a choice of a list."""

    @abstractmethod
    def label_of(self, control: WebElement) -> WebElement:
        """Return the label of a field."""

    @abstractmethod
    def help_of(self, control: WebElement) -> str:
        """Return the help text of a field."""

    @abstractmethod
    def save(self) -> None:
        """Save, and wait until the form closes."""

    @abstractmethod
    def test(self, conn_id: str, secrets: dict[str, str]) -> str:
        """Click the Test button, and return the message.

        :param secrets: to be entered again where the form tests what it shows.
        """

    def value(self, name: str) -> str:
        """Return the value of a field."""
        return self.retry_if_stale(partial(self._value, name))

    @abstractmethod
    def _value(self, name: str) -> str: ...

    def fill(self, values: dict[str, str]) -> None:
        """Type values into fields."""
        for name, value in values.items():
            self.retry_if_stale(partial(self._write, name, value))

    def _write(self, name: str, value: str) -> None:
        control = self.control(name)
        control.send_keys(Keys.CONTROL, "a")
        control.send_keys(value)

    def shown(self, name: str) -> FieldView:
        """Return a field as the form shows it."""
        return self.retry_if_stale(partial(self._shown, name))

    def _shown(self, name: str) -> FieldView:
        control = self.control(name)
        return FieldView(
            label=(self.label_of(control).get_attribute("textContent") or "").strip(),
            value=self._value(name),
            placeholder=control.get_attribute("placeholder") or "",
            help=self.help_of(control),
            masked=control.get_attribute("type") == "password",
        )

    @abstractmethod
    def pictures(self) -> dict[str, bytes]:
        """Take screenshots of the form, one for each part, by the part's suffix."""

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Return an element as soon as it exists."""
        return self.wait(lambda: next(iter(self.all(selector)), None), selector)

    def button(self, text: str) -> WebElement:
        def found() -> WebElement | None:
            return next((b for b in self.all("button") if b.text.strip() == text and b.is_enabled()), None)

        return self.wait(found, f"the button {text!r}")

    def click(self, find: Callable[[], WebElement]) -> None:
        """Click on an element that may be re-rendered between the lookup and the click."""
        self.retry_if_stale(lambda: find().click())

    def retry_if_stale(self, action: Callable[[], T]) -> T:
        """Run an action on elements; retry it from the start if the page is re-rendered meanwhile."""
        done: tuple[T] = self.wait(lambda: (action(),), "a stable page")
        return done[0]

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        def tried(_browser: object) -> Any:
            with suppress(StaleElementReferenceException, WebDriverException):  # re-rendered, or not rendered yet
                return condition()

        return WebDriverWait(self.browser, TIMEOUT, poll_frequency=0.1).until(tried, what)


class FormOfAirflow2(Form):
    """A page of Flask AppBuilder."""

    def new(self, conn_id: str, conn_type: str, hook_name: str) -> None:
        self.browser.get(f"{self.url}/connection/add")
        self.one("#conn_id").send_keys(conn_id)
        self._choose("conn_type", conn_type)
        title = self.one("#select2-conn_type-container").get_attribute("title")
        assert title == hook_name
        self._type = conn_type

    def reopen(self, conn_id: str, conn_type: str) -> None:
        self._type = conn_type
        self.browser.get(f"{self.url}/connection/list/?_flt_3_conn_id={conn_id}")
        self.click(lambda: self.one("a[href*='/connection/edit/']"))
        self.wait(lambda: self.one("#conn_id").get_attribute("value") == conn_id, conn_id)

    def names(self) -> set[str]:
        rows = "//form[@id='model_form']//*[contains(@class, 'form-control')][@id]/../.."
        shown = [row for row in self.browser.find_elements(By.XPATH, rows) if row.is_displayed()]
        ids = {row.find_element(By.CSS_SELECTOR, ".form-control[id]").get_attribute("id") or "" for row in shown}
        return {each.removeprefix(f"extra__{self._type}__") for each in ids} - {
            "conn_id",
            "conn_type",
            "description",
            "extra",  # the Test button requires it
        }

    def control(self, name: str) -> WebElement:
        return self.one(f"#{name if name in STANDARD else f'extra__{self._type}__{name}'}")

    def choices(self, name: str) -> list[str]:
        options = self.control(name).find_elements(By.TAG_NAME, "option")
        return [option.get_attribute("value") or "" for option in options]

    def choose(self, name: str, choice: str) -> None:
        self._choose(f"extra__{self._type}__{name}", choice)

    def _choose(self, element_id: str, choice: str) -> None:
        # Select2 hides the underlying list, and updates itself on its change event.
        script = "$(document.getElementById(arguments[0])).val(arguments[1]).trigger('change')"
        self.wait(lambda: self.browser.execute_script("return document.readyState") == "complete", "the page's scripts")
        self.one(f"#{element_id}")
        self.browser.execute_script(script, element_id, choice)

    def label_of(self, control: WebElement) -> WebElement:
        return self.one(f"label[for='{control.get_attribute('id')}']")

    def pictures(self) -> dict[str, bytes]:
        return {"": self.one("form#model_form").screenshot_as_png}

    def help_of(self, control: WebElement) -> str:
        row = control.find_element(By.XPATH, "..")
        return " ".join(each.text for each in row.find_elements(By.CSS_SELECTOR, ".help-block"))

    def save(self) -> None:
        page = self.browser.current_url
        self.click(lambda: self.button("Save"))
        self.wait(
            lambda: self.browser.current_url != page, "the form to close, which it does not if a value is invalid"
        )

    def test(self, conn_id: str, secrets: dict[str, str]) -> str:
        self.fill(secrets)  # it tests the typed values, and never shows the saved secrets
        self.click(lambda: self.one("#test-connection"))
        return self.wait(lambda: next(self._messages(), None), "the message of the test")

    def _messages(self) -> Iterator[str]:
        texts = (alert.text for alert in self.all(".alert") if alert.is_displayed())
        messages = (text.removeprefix("\N{MULTIPLICATION SIGN}").strip() for text in texts)
        return (text for text in messages if text and "Fields that are currently populated" not in text)

    def _value(self, name: str) -> str:
        return self.control(name).get_attribute("value") or ""


class FormOfAirflow3(Form):
    """A dialog on top of the list of connections."""

    def new(self, conn_id: str, conn_type: str, hook_name: str) -> None:
        self.browser.get(f"{self.url}/connections")
        self.click(lambda: self.button("Add Connection"))
        self.one("input[name=connection_id]").send_keys(conn_id)
        self._pick(self.one("[role=dialog] input[role=combobox]"), hook_name)
        self.button("Extra Fields")

    def reopen(self, conn_id: str, conn_type: str) -> None:
        self.browser.get(f"{self.url}/connections")
        self.click(lambda: self._in_row(conn_id, "Edit Connection"))
        self.wait(lambda: self.one("input[name=connection_id]").get_attribute("value") == conn_id, conn_id)

    def unfold(self, group: str) -> None:
        """Expand one of the two groups of fields, which collapses the other."""
        if self.button(group).get_attribute("aria-expanded") != "true":
            self.click(lambda: self.button(group))
            self.wait(lambda: self.button(group).get_attribute("aria-expanded") == "true", group)

    def names(self) -> set[str]:
        controls = self.all("[role=dialog] [name]")
        names = {(c.get_attribute("name") or "").removeprefix("element_") for c in controls}
        return names - {"connection_id", "conn_type", "connection_type", "description"}

    def control(self, name: str) -> WebElement:
        if name in STANDARD:
            self.unfold("Standard Fields")
            return self.one(f"[role=dialog] input[name={name}]")
        self.unfold("Extra Fields")
        return self.one(f"input[name=element_{name}]:not([type=hidden]), #element_{name} input[role=combobox]")

    def choices(self, name: str) -> list[str]:
        self.control(name).send_keys(Keys.ARROW_DOWN)
        self.wait(lambda: self.all("[role=option]"), f"the list of {name}")
        offered = [option.text for option in self.all("[role=option]")]
        self.click(lambda: self.one("input[name=connection_id]"))  # closes the list
        return offered

    def choose(self, name: str, choice: str) -> None:
        self._pick(self.control(name), choice)

    def _pick(self, combobox: WebElement, choice: str) -> None:
        combobox.send_keys(choice)

        def found() -> WebElement | None:
            return next((option for option in self.all("[role=option]") if option.text == choice), None)

        self.click(lambda: self.wait(found, f"the choice {choice!r}"))

    def pictures(self) -> dict[str, bytes]:
        pictures = {}
        for group, name in (("Standard Fields", ""), ("Extra Fields", "-extra")):
            self.unfold(group)
            self.settled()
            pictures[name] = self.one("[role=dialog]").screenshot_as_png
        return pictures

    def settled(self) -> None:
        """Wait until the dialog has stopped moving."""
        seen: list[dict[str, int]] = []

        def rests() -> bool:
            seen.append(self.one("[role=dialog]").rect)
            return len(seen) > 3 and seen[-1] == seen[-2] == seen[-3]

        self.wait(rests, "the dialog to stop moving")

    def help_of(self, control: WebElement) -> str:
        texts = self._row_of(control).find_elements(By.CSS_SELECTOR, "[data-part=helper-text]")
        return " ".join(each.text for each in texts)

    def label_of(self, control: WebElement) -> WebElement:
        return self._row_of(control).find_element(By.CSS_SELECTOR, "label")

    def _row_of(self, control: WebElement) -> WebElement:
        return control.find_element(By.XPATH, "ancestor::*[@data-part='root' and @data-scope='field'][1]")

    def save(self) -> None:
        self.click(lambda: self.button("Save"))
        self.wait(lambda: not self.all("[role=dialog]"), "the dialog to close")

    def test(self, conn_id: str, secrets: dict[str, str]) -> str:
        self.browser.get(f"{self.url}/connections")
        self.click(lambda: self._in_row(conn_id, "Test Connection"))
        toasts = "[data-scope=toast][data-part=root]"
        return self.wait(lambda: next(filter(None, (toast.text for toast in self.all(toasts))), None), toasts)

    def _in_row(self, conn_id: str, label: str) -> WebElement:
        row = f"//tr[.//*[normalize-space(text())='{conn_id}']]//button[@aria-label='{label}']"
        return self.wait(lambda: self.browser.find_element(By.XPATH, row), f"{label} of {conn_id}")

    def _value(self, name: str) -> str:
        control = self.control(name)
        if control.get_attribute("role") == "combobox":
            return self.one(f"input[type=hidden][name=element_{name}]").get_attribute("value") or ""
        return control.get_attribute("value") or ""
