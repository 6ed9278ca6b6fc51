"""The entry point, held to the payment contract (`events/commands/payments.json`) and to the event schemas."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from moto import mock_aws
from payments import commands, gateway, handler, model, sandbox
from referencing import Registry, Resource
from worlds import ROOT
from worlds.logs import captured
from worlds.payments import CUSTOMER, ORDER, OTHER_ORDER, World, authorize, capture, release
from worlds.runtime import context

EVENTS = ROOT / "events"
CONTRACT = json.loads((EVENTS / "commands" / "payments.json").read_text())
SCHEMAS = [CONTRACT, *(json.loads(path.read_text()) for path in (EVENTS / "schemas").glob("*.json"))]
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS]
)


def validate(instance: Any, reference: str) -> None:
    Draft202012Validator({"$ref": reference}, registry=REGISTRY).validate(instance)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    handler.payments.cache_clear()
    with mock_aws():
        world = World()
        monkeypatch.setenv("PAYMENT_PROVIDER", "sandbox")
        monkeypatch.setenv("PAYMENTS_TABLE", world.table)
        monkeypatch.setenv("SANDBOX_LEDGER_TABLE", world.ledger)
        yield world
    handler.payments.cache_clear()


def invoke(request: dict[str, Any]) -> dict[str, str]:
    """As the workflow does: the answer fits the contract."""
    answer: dict[str, str] = handler.handler(request, context())
    validate(answer, f"{CONTRACT['$id']}#/$defs/{request['operation']}_answer")
    return answer


class TestTheContract:
    def test_the_contract_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(CONTRACT)

    def test_every_answer_and_every_event_of_an_order_fits(self, world: World) -> None:
        """Each branch: held, taken, too late; given back; declined; overtaken."""
        given_back, declined, overtaken = (ORDER[:-1] + last for last in "abc")
        script = [
            (authorize(), "AUTHORIZED"),
            (capture(), "CAPTURED"),
            (release(), "CAPTURED"),
            (authorize(order=given_back), "AUTHORIZED"),
            (release(given_back), "RELEASED"),
            (authorize("pm_card_amex_chargeDeclined", order=declined), "DECLINED"),
            (release(declined), "DECLINED"),
            (release(overtaken), "RELEASED"),
            (authorize(order=overtaken), "RELEASED"),
        ]
        for request, status in script:
            validate(request, CONTRACT["$id"])
            assert invoke(request)["status"] == status
        announced = {}
        for order in (ORDER, given_back, declined, overtaken):
            for name, detail in world.events(order).items():
                validate(detail, f"https://tiffin.example/events/schemas/{name}-1")
                announced[name] = detail
        assert set(announced) == {"PaymentAuthorized", "PaymentCaptured", "PaymentReleased", "PaymentDeclined"}

    @pytest.mark.parametrize(
        "request_",
        [
            {},
            {"operation": "refund"},
            {**capture(), "order_id": "ord_1"},
            {**capture(), "order_id": ORDER.upper()},
            {**capture(), "amount": 1},
            {**authorize(), "customer_id": "ada@example.com"},
            {**authorize(), "payment_method": ""},
            {**authorize(), "amount": {"amount": 1.5, "currency": "EUR"}},
            {**authorize(), "amount": {"amount": -1, "currency": "EUR"}},
            {**authorize(), "amount": {"amount": 1, "currency": "eur"}},
            {**authorize(), "amount": 2350},
            {**release(), "reason": ""},
            {**release(), "reason": "x" * 201},
        ],
    )
    def test_what_the_contract_refuses_the_handler_refuses(self, world: World, request_: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            validate(request_, CONTRACT["$id"])
        with pytest.raises(model.InvalidPaymentRequest):
            handler.handler(request_, context())

    def test_each_error_is_in_the_contract(self) -> None:
        raised = {error.__name__ for error in model.PaymentError.__subclasses__()}
        kinds = [set(CONTRACT["$defs"][kind]["enum"]) for kind in ("transient_error", "permanent_error")]
        assert raised == set.union(*kinds)
        assert not set.intersection(*kinds)
        assert gateway.GatewayTimeout.__name__ in raised

    @pytest.mark.parametrize(
        "path", sorted((EVENTS / "invocations").glob("PaymentsFunction-*.json")), ids=lambda p: p.stem
    )
    def test_the_sample_invocations_fit(self, path: Path) -> None:
        request = json.loads(path.read_text())
        validate(request, CONTRACT["$id"])
        commands.parse(request)


class TestWhatIsSeen:
    def test_a_decline_is_counted_by_network_and_code(
        self, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
        invoke(authorize("pm_card_mastercard_chargeDeclinedStolenCard"))
        invoke(authorize("pm_card_mastercard_chargeDeclinedStolenCard"))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (counted,) = [line for line in lines if "PaymentDeclined" in line]
        assert (counted["network"], counted["code"]) == ("mastercard", "stolen_card")

    def test_logs_and_errors_are_free_of_what_is_personal(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        log, errors = captured(monkeypatch), list[str]()
        declined = authorize("pm_card_visa_chargeDeclined", order=OTHER_ORDER)
        for request in (authorize(), capture(), declined, release(OTHER_ORDER), authorize("pm_card_amex")):
            try:
                handler.handler(request, context())
            except model.PaymentError as error:
                errors.append(str(error))
        assert len(errors) == 1
        assert {line["order_id"] for line in log.lines} == {ORDER, OTHER_ORDER}
        for written in (log.text, *errors, *(str(value) for _, value in log.annotations)):
            assert CUSTOMER not in written
            assert "pm_card" not in written


class TestWiring:
    def test_the_environment_names_the_gateway(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PAYMENTS_TABLE", "t")
        monkeypatch.setenv("SANDBOX_LEDGER_TABLE", "none")
        monkeypatch.setenv("STRIPE_SECRET_NAME", "s")
        monkeypatch.setenv("STRIPE_API_BASE", "https://api.stripe.com")
        for provider, kind in (("sandbox", sandbox.SandboxGateway.__name__), ("stripe", "StripeGateway")):
            monkeypatch.setenv("PAYMENT_PROVIDER", provider)
            handler.payments.cache_clear()
            assert type(handler.payments()._card_gateway).__name__ == kind
        handler.payments.cache_clear()
