"""Orders under load: what people do with each, what is told of it, and what is watched meanwhile."""

import subprocess
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from lab import rush, watching
from lab.invariants import Facts
from lab.rush import KINDS, ORDERS_EACH, Rush
from lab.watching import Sample, busy, growth, longest_wait
from laptop import measured
from laptop.client import NotThere, Refused
from orders.model import order_id_for
from worlds import ROOT

PAGE = ROOT / "docs" / "load.md"


class Apis:
    """Answers as the APIs do, at once; and refuses orders on demand."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.refuses, self.stuck, self.earned = False, False, 0
        self.people = SimpleNamespace(subject=lambda name: f"sub-{name}", token=lambda _: "token")

    def restaurants(self) -> None:
        self.done.append(("restaurants",))

    def menu(self, of: str) -> None:
        self.done.append(("menu", of))

    def promo_codes(self, customer: str) -> list[dict[str, str]]:
        self.earned += 1
        return [{"code": f"CODE-{customer}-{n}"} for n in range(self.earned)]

    def place(self, *, customer: str, key: str, **more: Any) -> None:
        if self.refuses:
            raise Refused(429, {"type": "https://tiffin.example/problems/throttled"})
        self.done.append(("place", customer, key, more.get("promo_code", ""), more.get("payment_method", "")))

    def until(self, order_id: str, status: str, **_: Any) -> None:
        if self.stuck:
            raise NotThere({"order_id": order_id, "status": "PREPARING"}, (status,), 60)
        self.done.append(("until", order_id, status))

    def work(self, of: str, **_: str) -> None:
        self.done.append(("work", of))

    def move(self, order_id: str, move: str, _: Any = None) -> None:
        self.done.append((move, order_id))


@pytest.fixture
def apis() -> Apis:
    return Apis()


@pytest.fixture
def people(apis: Apis) -> Rush:
    visit: Any = SimpleNamespace(name="load-1", restaurant_id="r-load-1", caller=lambda look: apis)
    return Rush(visit)


class TestStories:
    def test_every_kind_of_order_comes_about_as_often_as_its_share(self, people: Rush, apis: Apis) -> None:
        for _ in range(1000):
            people.one()
        told = Counter(case.fault for case in people.cases)
        assert sum(kind.share for kind in KINDS) == pytest.approx(1)
        for kind in KINDS:
            assert told[kind.name] == pytest.approx(1000 * kind.share, abs=40), kind.name

    def test_an_order_is_taken_through_every_move_to_the_end_that_is_expected_of_it(
        self, people: Rush, apis: Apis
    ) -> None:
        while not any(case.fault == "delivered" for case in people.cases):
            people.one()
        case = next(case for case in people.cases if case.fault == "delivered")
        moves = [name for name, *of in apis.done if of == [case.order_id] or of[:1] == [case.order_id]]
        assert moves == ["until", "accept", "until", "dispatch", "until", "deliver", "until"]
        assert ("until", case.order_id, "DELIVERED") in apis.done
        assert case.answered
        assert case.ends == {"DELIVERED"}
        # As the API derives it: by this id the order is found and judged.
        assert case.order_id == order_id_for(case.subject, case.name)

    def test_a_code_is_used_and_a_card_declined_where_the_story_says_so(self, people: Rush, apis: Apis) -> None:
        for _ in range(200):
            people.one()
        spent = [code for name, *rest in apis.done if name == "place" and (code := rest[2])]
        assert len(spent) == len(set(spent))
        placed = {key: (code, card) for name, *rest in apis.done if name == "place" for _, key, code, card in [rest]}
        for case in people.cases:
            code, card = placed[case.name]
            assert bool(code) == (case.fault == "delivered with a code")
            assert bool(card) == (case.fault == "declined")

    def test_a_customer_makes_a_dozen_orders_and_then_somebody_else_signs_in(self, people: Rush, apis: Apis) -> None:
        signed_in: list[str] = []
        people.told = lambda step, _, wrong="": signed_in.append(step)
        for _ in range(3 * ORDERS_EACH):
            people.one()
        by_customer = Counter(case.customer for case in people.cases)
        assert set(by_customer.values()) == {ORDERS_EACH}
        assert signed_in.count("sign in") == 3

    def test_what_was_refused_is_counted_and_its_customer_is_left_alone(self, people: Rush, apis: Apis) -> None:
        apis.refuses = True
        people.one()
        people.one()
        assert sum(people.wrong.values()) == 2
        assert all(reason.endswith("429 throttled") for reason in people.wrong)
        assert [case.answered for case in people.cases] == [False, False]
        assert len({case.customer for case in people.cases}) == 2

    def test_an_order_that_goes_no_further_is_given_up_with_where_it_is(self, people: Rush, apis: Apis) -> None:
        apis.stuck = True
        people.one()
        assert [reason.partition(": ")[2] for reason in people.wrong] == ["still PREPARING"]
        assert people.done == 0
        assert people.cases[0].answered


class TestVerdicts:
    @pytest.fixture
    def witness(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        facts = Facts({}, {}, {}, {}, {}, {"o": [{"detail-type": "OrderPlaced"}]})
        monkeypatch.setattr(Facts, "read", lambda _: facts)
        return object()

    def test_an_order_that_was_answered_and_is_not_there_is_wrong(self, witness: Any, people: Rush) -> None:
        people.one()
        (case,) = people.cases
        assert list(rush.verdicts(witness, [case], seconds=0)[case.order_id]) == ["I1"]

    def test_of_an_order_that_was_given_up_nobody_expects_an_end(self, witness: Any, people: Rush, apis: Apis) -> None:
        apis.stuck = True
        people.one()
        assert rush.verdicts(witness, people.cases, seconds=0) == {}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/_aws/execute-api/a1/v1/orders", "POST orders"),
        ("/v1/orders/ord_" + 26 * "a" + "/accept", "POST orders/{id}/accept"),
        ("/v1/restaurants/r-load-1a2b/menu", "POST restaurants/{id}/menu"),
        ("/v1/promo-codes", "POST promo-codes"),
        ("/food/v1/courier/orders", "POST courier/orders"),
    ],
)
def test_a_step_is_called_by_its_route(path: str, said: str) -> None:
    assert rush.step("POST", path) == said


def sample(at: float, **seen: Any) -> Sample:
    return Sample(at, **{"open_orders": 0, "waiting": 0, "dead": 0} | seen)


class TestWatching:
    def test_growth_is_of_the_last_third_over_the_second(self) -> None:
        assert growth([100, 500, 500, 500, 502, 504]) == 3
        assert growth([5, 5]) == 0

    def test_what_waits_has_waited_since_the_queues_were_empty_last(self) -> None:
        seen = [sample(at, waiting=waiting) for at, waiting in enumerate([0, 3, 1, 2, 0, 5, 0])]
        assert longest_wait(seen) == 2
        assert longest_wait([sample(0), sample(5)]) == 0

    def test_processors_are_busy_by_what_was_worked_between_the_looks(self) -> None:
        seen = [sample(10.0, processors=(1.0, 5.0, 2.0, 50.0)), sample(20.0, processors=(9.0, 5.0, 4.0, 65.0))]
        assert busy(seen) == pytest.approx((0.8, 0.0, 0.2, 0.5))

    def test_a_dead_letter_queue_is_no_queue_that_waits(self) -> None:
        depths = {"q": 3, "d": 1}
        clients = {
            "sqs": SimpleNamespace(
                get_queue_attributes=lambda QueueUrl, AttributeNames: {  # noqa: N803 - boto3's names
                    "Attributes": dict(zip(AttributeNames, (depths[QueueUrl], 0), strict=True))
                }
            ),
            "dynamodb": SimpleNamespace(query=lambda **_: {"Count": 2}),
        }
        queue = SimpleNamespace(kind="AWS::SQS::Queue", path="Promotions/Queue", name="q")
        dead = SimpleNamespace(kind="AWS::SQS::Queue", path="Promotions/DeadLetterQueue", name="d")
        stack: Any = SimpleNamespace(
            client=clients.get, outputs={"OrdersTableName": "orders"}, resources=lambda: iter([queue, dead])
        )
        seen = watching.Watch(stack, None).look()
        assert (seen.waiting, seen.dead, seen.open_orders) == (3, 1, 16)
        assert (seen.emulator, seen.functions) == (0, 0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--rate", "0"], "a rate is more than 0"),
        (["--duration", "soon"], "is no time: write 90s, 30m or 1h"),
        (["--rate", "1", "--duration", "3h"], "at most 7200 seconds"),
        (["--rate", "30", "--duration", "1h"], "that is 108000 orders, and 20000 are the most"),
        (["--stack", "tiffin"], "say how many orders a second"),
        (["--write", "nowhere.md"], "there is no page nowhere.md"),
    ],
)
def test_what_has_no_bounds_is_refused_before_anything_starts(asked: list[str], said: str) -> None:
    # In a process of its own: what makes the load changes how a process waits.
    command = [sys.executable, str(ROOT / "scripts" / "load.py"), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_has_its_marks_once_each() -> None:
    text = PAGE.read_text("utf-8")
    for command in ("make load", "make soak"):
        assert text.count(measured.mark(command)) == 1
    assert text.count(measured.END) == 2
