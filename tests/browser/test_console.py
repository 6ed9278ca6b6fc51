"""Four people at the console, in a real browser, through the real sign-in, against the real stack on the emulator.

What one does, the others see; and what a page says is held against the rows. Whoever is clumsy, or has a bad line,
makes one order and reads what to do. `make seen` takes from here how soon a move is seen.
"""

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from laptop import Stack, measured, web
from laptop.client import Client
from laptop.pace import patience
from laptop.people import RESTAURANT
from playwright.sync_api import Browser, Locator, Playwright, Route, WebSocketRoute, expect, sync_playwright
from worlds import chromium
from worlds.polling import eventually
from worlds.stack import balance, row
from worlds.windows import NARROW, Room, Window, browser

pytestmark = pytest.mark.laptop("own")

DISH = "Margherita"
PLACING = re.compile(r"/orders$")
SEEN = "TIFFIN_SEEN"
"""Environment variable: the page into which `make seen` puts how soon moves are seen; else one order is looked at."""


@pytest.fixture(scope="module")
def built() -> None:
    chromium.is_there()
    try:
        web.build()
    except web.NotBuilt as why:
        chromium.needed(False, f"the console is not built: {why}")


@pytest.fixture(scope="module")
def served(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that serves the console, as `make up` starts it."""
    with Stack.up(stays=True, state_dir=tmp_path_factory.mktemp("console")) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(served: Stack) -> Iterator[Client]:
    with closing(Client(served.outputs, served.people)) as calls:
        yield calls


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def chrome(playwright: Playwright) -> Iterator[Browser]:
    with browser(playwright) as running:
        yield running


@pytest.fixture
def room(served: Stack, chrome: Browser) -> Iterator[Room]:
    """No page raises anything, or asks for what its policy refuses."""
    room = Room(chrome, served)
    yield room
    assert room.leave() == []


def fill_basket(customer: Window) -> None:
    customer.page.get_by_role("link", name=re.compile("Bella Napoli")).click()
    customer.press(f"Add {DISH}")
    customer.page.get_by_role("link", name=re.compile("To the basket")).click()
    customer.heading("Basket")


def check_out(customer: Window, card: str = "Visa") -> None:
    customer.page.get_by_label("Name").fill("Ada Lovelace")
    customer.page.get_by_label("Address").fill("Harbour Street 1")
    customer.page.get_by_label("Card").select_option(label=card)


def pay(customer: Window) -> None:
    customer.press(re.compile("^Order for"))


def ordered(customer: Window, card: str = "Visa") -> str:
    """An order that was placed by hand, from the first page on."""
    customer.sign_in("/")
    fill_basket(customer)
    check_out(customer, card)
    pay(customer)
    return customer.order_id()


def slip(worker: Window, order_id: str) -> Locator:
    """An order as those see it who work on it."""
    return worker.page.get_by_role("article", name=re.compile(order_id.removeprefix("ord_")[:6], re.IGNORECASE))


def step(customer: Window, name: str) -> Locator:
    """A step of an order's life, as its customer follows it."""
    return customer.page.get_by_role("listitem").filter(has_text=name)


def is_at(customer: Window, name: str) -> None:
    """Wait until the order is at a step; nobody reloads."""
    expect(step(customer, name)).to_have_attribute("data-is", "now")


def listens(window: Window) -> None:
    """Wait until changes are told to a page by push."""
    expect(window.page.get_by_role("contentinfo")).to_contain_text("Live")


def read(customer: Window, text: str | re.Pattern[str]) -> None:
    """Wait until it can be read on the page; nobody reloads."""
    expect(customer.page.get_by_role("main")).to_contain_text(text)


def short(order_id: str) -> str:
    """What people see of its id."""
    return order_id.removeprefix("ord_")[:6].upper()


Seen = dict[str, list[float]]


def moved(move: str, button: Locator, seen: Seen, **by: tuple[Window, str, str]) -> None:
    """Press a button and wait until all who look at something else have seen what came of it; nobody reloads.

    Args:
        move: what is done.
        button: does it.
        seen: how many seconds after the press each saw it, by what and who; it is added to.
        by: of each who sees it the window, the selector of what shows it, and the text that is in it then.
    """
    for window, where, text in by.values():
        window.watch(where, text)
    pressed = time.time()
    button.click()
    for who, (window, _, _) in by.items():
        seen[f"{move} | {who}"].append(window.shown_after(pressed))


def accepted(kitchen: Window, courier: Window, support: Window, customer: Window, order_id: str, seen: Seen) -> None:
    """The restaurant accepts."""
    moved(
        "the restaurant accepts",
        slip(kitchen, order_id).get_by_role("button", name="Accept"),
        seen,
        customer=(customer, "li[data-is=now]", "The kitchen cooks"),
        courier=(courier, "article", short(order_id)),
        support=(support, "tr", f"{short(order_id)}Being prepared"),
    )


def left_with(kitchen: Window, courier: Window, support: Window, customer: Window, order_id: str, seen: Seen) -> None:
    """The courier leaves with it."""
    moved(
        "the courier leaves",
        slip(courier, order_id).get_by_role("button", name="Leave with it"),
        seen,
        customer=(customer, "li[data-is=now]", "The courier is on the road"),
        restaurant=(kitchen, "section[aria-label='On the road'] article", short(order_id)),
        support=(support, "tr", f"{short(order_id)}On its way"),
    )


def handed_over(_: Window, courier: Window, __: Window, customer: Window, order_id: str, seen: Seen) -> None:
    """The courier delivers."""
    button = slip(courier, order_id).get_by_role("button", name="Handed over")
    moved("the courier delivers", button, seen, customer=(customer, "main", "Enjoy your meal"))


# --- Four people around an order --------------------------------------------------------------------------------------


def test_an_order_is_placed_accepted_dispatched_and_delivered_in_as_many_windows(room: Room) -> None:
    kitchen, courier, support = (room.window(name, viewport=NARROW) for name in ("bella", "carl", "sue"))
    kitchen.sign_in("/kitchen")
    courier.sign_in("/courier")
    support.sign_in("/support")
    customer = room.window("ada")
    order_id = ordered(customer)
    is_at(customer, "The restaurant answers")
    for window in (kitchen, courier, support, customer):
        listens(window)
    kitchen.picture("an-order-to-answer")
    kitchen.is_for_everybody()
    customer.is_for_everybody()

    four = (kitchen, courier, support, customer)
    seen: Seen = defaultdict(list)
    accepted(*four, order_id, seen)
    courier.is_for_everybody()
    left_with(*four, order_id, seen)
    customer.picture("an-order-on-the-road")
    assert not balance(room.stack, order_id).captured
    courier.page.get_by_role("tab", name=re.compile("On the road")).click()
    expect(slip(courier, order_id)).to_contain_text("Harbour Street 1")
    courier.is_for_everybody()
    handed_over(*four, order_id, seen)

    expect(slip(kitchen, order_id)).to_have_count(0)
    expect(slip(courier, order_id)).to_have_count(0)
    for window in four:
        window.is_for_everybody()
    assert balance(room.stack, order_id).captured == int(row(room.stack, order_id)["total"]["M"]["amount"]["N"])

    # Who delivered earns a code, which a page shows once it is there.
    customer.page.get_by_role("link", name="Codes").click()
    customer.heading("Promo codes")
    expect(customer.page.get_by_role("main").locator("code")).to_have_count(1)
    if page := os.environ.get(SEEN):
        measured.replace(Path(page), "make seen", how_soon(four))


def how_soon(four: tuple[Window, Window, Window, Window], orders: int = 10) -> str:
    """Let orders live, one after the other; returns how soon each move was seen, as a table."""
    seen: Seen = defaultdict(list)
    _, courier, _, customer = four
    for _ in range(orders):
        customer.page.get_by_role("link", name="Restaurants").click()
        fill_basket(customer)
        check_out(customer)
        pay(customer)
        order_id = customer.order_id()
        is_at(customer, "The restaurant answers")
        courier.page.get_by_role("tab", name=re.compile("To fetch")).click()
        accepted(*four, order_id, seen)
        left_with(*four, order_id, seen)
        courier.page.get_by_role("tab", name=re.compile("On the road")).click()
        handed_over(*four, order_id, seen)
    rows = (
        f"| {name} | {len(took)} | {sorted(took)[len(took) // 2]:.2f} | {max(took):.2f} |"
        for name, took in seen.items()
    )
    return "\n".join([
        f"{measured.where()}; Chromium, headless. {orders} orders, one after the other, in four windows; from before a",
        "button is pressed until another window's page shows what came of it. Emulator, functions and browser share",
        "the machine.",
        "",
        "| move | seen by | orders | p50, s | longest, s |",
        "|---|---|---|---|---|",
        *rows,
    ])  # fmt: skip


def test_support_reads_why_in_one_sentence_and_sees_the_way_that_was_taken(room: Room) -> None:
    customer = room.window("walt")
    order_id = ordered(customer, "Mastercard, expired")
    read(customer, "The card was declined")
    support = room.window("sue")
    support.sign_in("/support")
    support.page.get_by_label("Order", exact=True).fill(order_id)
    support.press("Open")
    read(support, re.compile("payment declined: mastercard, expired_card", re.IGNORECASE))
    way = support.page.get_by_role("region", name="Order workflow")
    expect(way).to_contain_text("Authorize payment")
    expect(way).to_contain_text("Record declined")
    expect(support.page.get_by_role("list", name="Timeline")).to_contain_text("PaymentDeclined")
    support.is_for_everybody()
    support.fits_a_phone()
    support.picture("story")


def test_a_declined_card_says_why_and_another_one_pays(room: Room, client: Client) -> None:
    customer = room.window("dora")
    declined = ordered(customer, "Visa, insufficient funds")
    # The page's own sentence: the name of the card says so before the bank does.
    read(customer, "The card was declined")
    read(customer, "insufficient")
    customer.is_for_everybody()
    customer.picture("a-declined-card")
    assert row(room.stack, declined)["status"]["S"] == "DECLINED"
    assert balance(room.stack, declined).held == 0

    customer.press("Try another card")
    customer.heading("Basket")
    expect(customer.page.get_by_label("Name")).to_have_value("Ada Lovelace")
    customer.page.get_by_label("Card").select_option(label="Mastercard")
    pay(customer)
    customer.page.wait_for_url(lambda url: "/orders/ord_" in url and declined not in url)
    paid = customer.order_id()
    is_at(customer, "The restaurant answers")
    assert balance(room.stack, paid).open > 0
    assert {order["order_id"] for order in client.orders("dora")} == {declined, paid}


def test_a_restaurant_rejects_with_a_reason_that_the_customer_reads(room: Room) -> None:
    kitchen = room.window("bella", viewport=NARROW)
    kitchen.sign_in("/kitchen")
    customer = room.window("rosa")
    order_id = ordered(customer)
    slip(kitchen, order_id).get_by_role("button", name="Reject").click()
    kitchen.page.get_by_label("Something is out of stock").check(force=True)
    kitchen.is_for_everybody()
    kitchen.press("Reject the order")

    read(customer, "The restaurant rejected it")
    read(customer, "The hold on your card is released.")
    assert row(room.stack, order_id)["status"]["S"] == "REJECTED"
    eventually(lambda: balance(room.stack, order_id).open == 0)


def test_a_customer_cancels_while_that_is_possible(room: Room) -> None:
    customer = room.window("cleo")
    order_id = ordered(customer)
    is_at(customer, "The restaurant answers")
    customer.press("Cancel the order")
    customer.is_for_everybody()
    customer.page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()

    read(customer, "You cancelled it")
    customer.is_for_everybody()
    assert row(room.stack, order_id)["status"]["S"] == "CANCELLED"
    eventually(lambda: balance(room.stack, order_id).open == 0)
    expect(customer.page.get_by_role("button", name="Cancel the order")).to_have_count(0)


def test_after_three_hours_it_is_given_up_and_the_customer_reads_it(
    built: None, chrome: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = tmp_path_factory.mktemp("three-hours")
    with (
        # Three hours of forty seconds: long enough for somebody to accept within the quarter of an hour.
        Stack.up(stays=True, state_dir=state, clock=270) as stack,
        closing(Client(stack.outputs, stack.people)) as client,
    ):
        room = Room(chrome, stack)
        customer = room.window("eve")
        ready_to_pay(customer)
        stack.people.token("bella")  # whose quarter of an hour is for nothing but the answer
        stack.keep_pace()
        pay(customer)
        order_id = customer.order_id()
        client.knows(order_id, "eve")
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, "accept")
        is_at(customer, "The kitchen cooks")
        client.until(order_id, "EXPIRED", besides=stack.clock.real_seconds(10_800))
        read(customer, "Given up after three hours")
        eventually(lambda: balance(stack, order_id).open == 0)
        assert room.leave() == []


# --- Whoever is clumsy, or has a bad line -----------------------------------------------------------------------------


def asked_to_place(customer: Window) -> list[str]:
    """The keys of the orders that the page asks for from now on."""
    keys = list[str]()

    def note(request: Any) -> None:
        if request.method == "POST" and PLACING.search(request.url):
            keys.append(request.headers["idempotency-key"])

    customer.page.on("request", note)
    return keys


def is_under_way(customer: Window, held: list[Route]) -> None:
    """Wait until a request was caught."""

    def is_caught() -> bool:
        customer.page.wait_for_timeout(20)  # in which Playwright tells of it
        return bool(held)

    eventually(is_caught)


def ready_to_pay(customer: Window) -> None:
    customer.sign_in("/")
    fill_basket(customer)
    check_out(customer)
    expect(customer.page.get_by_role("button", name=re.compile("^Order for"))).to_be_enabled()


def test_who_clicks_twice_orders_once(room: Room, client: Client) -> None:
    customer = room.window("tess")
    ready_to_pay(customer)
    customer.is_for_everybody()
    customer.page.get_by_role("button", name=re.compile("^Order for")).dblclick()
    order_id = customer.order_id()
    assert [order["order_id"] for order in client.orders("tess")] == [order_id]


def test_who_goes_back_after_ordering_finds_the_order_and_no_basket(room: Room, client: Client) -> None:
    customer = room.window("bea")
    ready_to_pay(customer)
    pay(customer)
    order_id = customer.order_id()
    is_at(customer, "The restaurant answers")
    customer.page.go_back()
    read(customer, "There is nothing in it")
    customer.page.get_by_role("link", name="Your last order").click()
    assert customer.order_id() == order_id
    assert len(client.orders("bea")) == 1


def test_two_tabs_with_one_basket_make_one_order(room: Room, client: Client) -> None:
    first = room.window("toni")
    ready_to_pay(first)
    second = room.window("toni", beside=first)
    second.sign_in("/basket")
    keys = asked_to_place(first), asked_to_place(second)
    # Both are on their way before either is answered.
    second.page.get_by_role("button", name=re.compile("^Order for")).wait_for()
    held = list[Route]()
    first.page.route(PLACING, lambda route: held.append(route) if route.request.method == "POST" else route.fallback())
    pay(first)
    is_under_way(first, held)
    pay(second)
    order_id = second.order_id()
    held[0].continue_()
    assert first.order_id() == order_id
    assert keys[0] == keys[1]
    assert [order["order_id"] for order in client.orders("toni")] == [order_id]


def test_an_answer_that_never_came_is_asked_for_again_and_is_the_same_order(room: Room, client: Client) -> None:
    customer = room.window("nora")
    ready_to_pay(customer)
    keys = asked_to_place(customer)

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.fallback()

    customer.page.route(PLACING, lose)
    pay(customer)
    read(customer, "No answer")
    read(customer, "it stays one order")
    customer.page.unroute(PLACING)
    pay(customer)
    order_id = customer.order_id()
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert [order["order_id"] for order in client.orders("nora")] == [order_id]


def test_while_the_api_is_down_the_page_says_so_and_goes_on_afterwards(room: Room) -> None:
    customer = room.window("dina")
    customer.page.route(re.compile("/restaurants"), lambda route: route.abort())
    customer.go("/")
    read(customer, "No answer")
    customer.is_for_everybody()
    customer.page.unroute(re.compile("/restaurants"))
    customer.press("Try again")
    expect(customer.page.get_by_role("link", name=re.compile("Bella Napoli"))).to_be_visible()


def test_a_part_of_the_console_that_did_not_come_is_asked_for_again(room: Room) -> None:
    courier = room.window("carl")
    courier.sign_in("/how-it-works")
    part = re.compile(r"/assets/courier-page[^/]*\.js")
    courier.page.route(part, lambda route: route.abort())
    courier.page.get_by_role("link", name="Deliveries").click()
    courier.heading("This page did not come")
    assert courier.axe() == []
    courier.page.unroute(part)
    courier.press("Try again")
    courier.heading("Deliveries")


def test_a_line_that_died_with_the_network_is_replaced_once_the_network_is_back(room: Room, client: Client) -> None:
    customer = room.window("lina")
    lines = list[WebSocketRoute]()
    dead = set[WebSocketRoute]()

    def connect(line: WebSocketRoute) -> None:
        lines.append(line)
        server = line.connect_to_server()
        # By a dead line nothing comes, and nobody says that it ended.
        line.on_message(lambda said: None if line in dead else server.send(said))
        server.on_message(lambda said: None if line in dead else line.send(said))

    customer.page.route_web_socket(re.compile("ticket="), connect)
    order_id = ordered(customer)
    is_at(customer, "The restaurant answers")
    listens(customer)
    dead.update(lines)
    customer.page.context.set_offline(True)
    foot = customer.page.get_by_role("contentinfo")
    expect(foot).to_contain_text("Offline")
    expect(customer.page.get_by_text("You are offline")).to_be_visible()
    customer.is_for_everybody()
    customer.page.context.set_offline(False)
    expect(foot).to_contain_text("Asking")
    # A ping has ten seconds to be answered.
    expect(foot).to_contain_text("Live", timeout=patience(30) * 1000)
    assert len(lines) == 2
    client.knows(order_id, "lina")
    client.move(order_id, "accept")
    is_at(customer, "The kitchen cooks")


def test_on_a_slow_line_one_sees_that_it_is_under_way(room: Room, client: Client) -> None:
    customer = room.window("sloane")
    ready_to_pay(customer)
    held = list[Route]()
    customer.page.route(
        PLACING, lambda route: held.append(route) if route.request.method == "POST" else route.fallback()
    )
    pay(customer)
    expect(customer.page.get_by_role("button", name="Ordering …")).to_be_visible()
    is_under_way(customer, held)
    held[0].continue_()
    order_id = customer.order_id()
    assert [order["order_id"] for order in client.orders("sloane")] == [order_id]


def test_a_sign_in_that_ran_out_loses_neither_page_nor_basket(room: Room) -> None:
    customer = room.window("exa")
    customer.page.clock.install()
    ready_to_pay(customer)
    customer.page.route(
        re.compile("/oauth2/token"), lambda route: route.fulfill(status=400, json={"error": "invalid_grant"})
    )
    customer.page.clock.set_system_time(time.time() + 16 * 60)
    pay(customer)
    expect(customer.page.get_by_text("Your sign-in has run out", exact=True)).to_be_visible()
    customer.page.unroute(re.compile("/oauth2/token"))
    customer.page.get_by_role("button", name="Sign in again").first.click()
    # The pages know who it was, for an hour.
    customer.press(f"Sign in as {customer.person.email}")
    customer.heading("Basket")
    expect(customer.page.get_by_label("Name")).to_have_value("Ada Lovelace")
    pay(customer)
    is_at(customer, "The restaurant answers")


def test_who_signs_out_leaves_nothing_in_the_browser(room: Room) -> None:
    customer = room.window("oona")
    customer.sign_in("/")
    other_tab = room.window("oona", beside=customer)
    other_tab.sign_in("/orders")
    fill_basket(customer)
    check_out(customer)
    with customer.page.expect_request(re.compile(r"/logout\?")):
        customer.press("Sign out")
    customer.heading("What shall it be today?")
    expect(customer.page.get_by_role("button", name="Sign in")).to_be_visible()
    kept = customer.page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage})")
    assert "Lovelace" not in kept
    assert "Harbour" not in kept
    expect(other_tab.page.get_by_text("You signed out in another tab.")).to_be_visible()
    other_tab.heading("Sign in first")


# --- For everybody ----------------------------------------------------------------------------------------------------

PAGES: dict[str, tuple[str, str, str]] = {
    "restaurants": ("mia", "/", "What shall it be today?"),
    "menu": ("mia", f"/restaurants/{RESTAURANT}", "Bella Napoli"),
    "orders": ("mia", "/orders", "Your orders"),
    "codes": ("mia", "/codes", "Promo codes"),
    "kitchen": ("bella", "/kitchen", "Bella Napoli"),
    "courier": ("carl", "/courier", "Deliveries"),
    "board": ("sue", "/support", "Orders"),
    "how-it-works": ("sue", "/how-it-works", "How it works"),
}


@pytest.fixture(scope="module")
def ordered_before(client: Client) -> None:
    """Mia's orders, of which one ended well and brought a code, and one did not."""
    client.place(customer="mia", payment_method="pm_card_chargeDeclined")
    delivered = client.place(customer="mia")["order_id"]
    client.deliver(delivered)
    eventually(lambda: bool(client.promo_codes("mia")))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_everybody_light_and_dark_narrow_and_wide(room: Room, ordered_before: None, page: str) -> None:
    name, path, heading = PAGES[page]
    somebody = room.window(name)
    somebody.sign_in(path)
    somebody.heading(heading)
    expect(somebody.page.get_by_text("Loading")).to_have_count(0)
    somebody.is_for_everybody()
    somebody.page.set_viewport_size(NARROW)
    assert somebody.axe() == []
    somebody.fits_a_phone()
    somebody.picture(page)


def test_an_order_can_be_placed_by_the_keyboard_alone(room: Room, client: Client) -> None:
    customer = room.window("kay")
    customer.sign_in(f"/restaurants/{RESTAURANT}")
    customer.heading("Bella Napoli")

    def tab_to(reached: Callable[[], bool]) -> None:
        for _ in range(80):
            if reached():
                return
            customer.page.keyboard.press("Tab")
        raise AssertionError("the focus never came there")

    def focused(locator: Locator) -> Callable[[], bool]:
        return lambda: bool(locator.count() and locator.first.evaluate("node => node === document.activeElement"))

    page = customer.page
    tab_to(focused(page.get_by_role("button", name=f"Add {DISH}")))
    page.keyboard.press("Enter")
    tab_to(focused(page.get_by_role("link", name=re.compile("To the basket"))))
    page.keyboard.press("Enter")
    customer.heading("Basket")
    # A button that waits for its price takes no focus.
    expect(page.get_by_role("button", name=re.compile("^Order for"))).to_be_visible()
    for label, text in (("Name", "Kay"), ("Address", "Harbour Street 1")):
        tab_to(focused(page.get_by_label(label, exact=True)))
        page.keyboard.type(text)
    tab_to(focused(page.get_by_role("button", name=re.compile("^Order for"))))
    page.keyboard.press("Enter")
    order_id = customer.order_id()
    assert [order["order_id"] for order in client.orders("kay")] == [order_id]
