"""Every function in containers, once around: what `make sam-local` runs, and the tests of it.

Each function is called with a sample, in a container of its own (cold) and in one that stays (warm). Then an order is
placed and taken to the door through the APIs' containers, by people who sign in; what lies between its moves happens on
the laptop, as always.
"""

import re
import statistics
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import httpx
from laptop import pace
from laptop.client import Client, NotThere, Refused
from laptop.errors import NotInTime
from laptop.people import RESTAURANT, People
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from .containers import Call, Containers, Warm, samples
from .proxied import STAGE, Proxied

_ORDER = re.compile(r"ord_[a-z2-7]{26}")
Step = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Row:
    """A function with one sample.

    Attributes:
        function: its path, such as `Orders/ApiFunction`.
        sample: what happens in it, such as `place-order`; empty, if there is none.
        cold: the call in a new container.
        warm: the call in a container that was there.
    """

    function: str
    sample: str
    cold: Call
    warm: Call

    @property
    def failure(self) -> str:
        """Why it is not as it should be; empty if it is."""
        return self.cold.failure or self.warm.failure


@dataclass
class Requests:
    """What was asked of the APIs.

    Attributes:
        took: milliseconds of each answer, in order, by API and request, such as `("Orders", "POST /orders")`.
    """

    took: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def look(self, answer: httpx.Response, apis: dict[str, str]) -> None:
        """Note an answer.

        Args:
            answer: of an API.
            apis: names by base URL.
        """
        url = str(answer.request.url)
        base = next(base for base in apis if url.startswith(f"{base}/"))
        path = _ORDER.sub("{order_id}", url.removeprefix(base))
        key = (apis[base], f"{answer.request.method} {path}")
        self.took.setdefault(key, []).append(answer.elapsed.total_seconds() * 1000)


@dataclass
class Tour:
    """What came of it.

    Attributes:
        rows: by function.
        requests: see there.
        order: the one that was delivered, as its API said at last.
        promo_codes: its customer's.
        failures: what was not as it should be.
    """

    rows: list[Row] = field(default_factory=list)
    requests: Requests = field(default_factory=Requests)
    order: dict[str, Any] = field(default_factory=dict)
    promo_codes: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def make(containers: Containers, step: Step = lambda _: nullcontext()) -> Tour:
    """Go once around.

    Args:
        containers: entered.
        step: called with what comes next; it returns a context manager around that.
    """
    tour = Tour(rows=list(_functions(containers, step)))
    tour.failures += [
        f"{row.function} with {row.sample or 'no sample'}: {row.failure}" for row in tour.rows if row.failure
    ]
    with step("A menu through the API (sam local start-api)"), containers.api("Orders") as orders:
        try:
            _read_a_menu(tour, orders)
        except httpx.HTTPError as error:
            tour.failures.append(f"No menu was read: {type(error).__name__}: {error}")
    with step("An order through both APIs' functions (sam local start-lambda)"), containers.warm() as served:
        try:
            _deliver(tour, served, containers.people)
        except (Refused, NotThere, NotInTime, httpx.HTTPError) as error:
            tour.failures.append(f"The order was not delivered: {type(error).__name__}: {error}")
    return tour


def _functions(containers: Containers, step: Step) -> Iterator[Row]:
    events = {function: samples(function) for function in containers.functions}
    first = {function: next(iter(found.items())) for function, found in events.items() if found}
    cold, warm = {}, {}
    for function, (sample, event) in first.items():
        with step(f"{function}, {sample} (sam local invoke)"):
            cold[function] = containers.cold(function, event)
    with step("The same in containers that stay (sam local start-lambda)"), containers.warm() as served:
        for _, service in groupby(first, lambda function: function.partition("/")[0]):
            served.start({function: first[function][1] for function in service})
        for function, (_, event) in first.items():
            warm[function] = served.invoke(function, event)
    for function in events:
        if function in first:
            yield Row(function, first[function][0], cold[function], warm[function])
        else:
            nothing = Call(None, None, "it has no sample in events/invocations")
            yield Row(function, "", nothing, nothing)


def _read_a_menu(tour: Tour, orders: str) -> None:
    """What is open needs no authorizer, so SAM serves it as it is."""
    for _ in range(2):
        answer = httpx.get(f"{orders}/restaurants/{RESTAURANT}/menu", timeout=pace.patience(120))
        answer.raise_for_status()
        tour.requests.look(answer, {orders: "Orders"})


def _deliver(tour: Tour, served: Warm, people: People) -> None:
    apis = {f"http://{name.lower()}/{STAGE}": name for name in ("Orders", "Promotions")}
    orders, promotions = apis
    functions = {name.lower(): f"{name}/ApiFunction" for name in apis.values()}
    # The first answer takes as long as its container does to start.
    patient = Client(
        {"ApiUrl": orders, "PromotionsApiUrl": promotions},
        people,
        timeout=120,
        look=lambda answer: tour.requests.look(answer, apis),
        transport=Proxied(functions, served.ask),
    )
    with closing(patient) as client:
        customer = f"sam-local-{uuid.uuid4().hex[:8]}"
        order_id = client.place(customer=customer)["order_id"]
        client.deliver(order_id, seconds=60)

        def paid() -> dict[str, Any] | None:
            found = client.order(order_id)
            return found if found["payment"]["status"] == "CAPTURED" else None

        tour.order = pace.eventually(paid, 30, "the capture of the payment")
        for _ in range(2):
            tour.promo_codes = client.promo_codes(customer)


def shown(tour: Tour) -> Group:
    """Both tables, and what is wrong."""
    functions = _table("Functions, each with a sample", "function", "sample", "cold ms", "warm ms", "outcome")
    for row in tour.rows:
        outcome = (
            f"[red]{escape(row.failure[:60])}[/red]"
            if row.failure
            else f"[green]{escape(told(row.warm.answer))}[/green]"
        )
        functions.add_row(row.function, row.sample, _ms(row.cold.milliseconds), _ms(row.warm.milliseconds), outcome)
    requests = _table("An order, through the APIs", "API", "request", "first ms", "then ms", "times")
    for (api, request), took in tour.requests.took.items():
        then = statistics.median(took[1:]) if len(took) > 1 else None
        requests.add_row(api, escape(request), _ms(took[0]), _ms(then), str(len(took)))
    functions.caption = "Cold and warm by Lambda's own REPORT line: INIT and handler, and the handler alone."
    requests.caption = (
        "As the caller waited: first for a container, and now and then a second for SAM, which waits for a log."
    )
    lines = [f"[red]✗[/red] {escape(failure)}" for failure in tour.failures]
    return Group(functions, "", requests, "", *lines)


def told(answer: Any) -> str:
    """A good answer in a word or two."""
    match answer:
        case {"statusCode": status}:
            return str(status)
        case {"batchItemFailures": []}:
            return "all taken"
        case {"status": str(status)}:
            return status
        case None | {}:
            return "done"
    return str(answer)[:40]


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False, caption_justify="left")
    for heading in headings:
        numeric = heading.endswith("ms") or heading == "times"
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    return table


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f}"
