"""Closed lists, each whole and written out: currencies, moves, readers of events, and what others' errors mean."""

from typing import Any

import boto3
import kitchens.consumer
import live.consumer
import notifications.consumer
import observability.consumer
import orders.consumer
import promotions.consumer
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from contracts.schemas import names
from notifications.mailer import Mailer, MailImpossible, MailRefused
from notifications.messages import Message
from orders.model import LEGAL_IN, Move, OrderStatus
from orders.workflow import CallbackRefused, OrderWorkflow
from payments.model import LEGAL_MOVES, IllegalMove, Payment, Status
from payments.stripe_amounts import decimals
from promotions.redemption import Happened, State, after, announcements
from tiffin import outbox
from tiffin.cards import _luhn, is_card_number
from tiffin.charges import CURRENCIES, chargeable
from tiffin.events import ORDER_ENDS
from tiffin.money import DECIMALS, printed
from tiffin.unmendable import no_retry_mends
from worlds.payments import MemoryDynamo, World, authorize

# --- Money ------------------------------------------------------------------------------------------------------------

# ISO 4217, list one of 2026-01-01 (www.six-group.com): minor units. What was withdrawn since 2022 stands last.
_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
    TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ANG BGN CUC HRK SLL ZWL
"""
_THREE = "BHD IQD JOD KWD LYD OMR TND"
ISO = {code: digits for digits, codes in ((0, _WITHOUT), (2, _TWO), (3, _THREE)) for code in codes.split()}
# docs.stripe.com/currencies: zero decimals, three decimals, and the special cases ISK and UGX, which have two.
_STRIPE_WITHOUT = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
_STRIPE_THREE = "BHD JOD KWD OMR TND"
# docs.stripe.com/currencies, "Minimum and maximum charge amounts"; any other currency: one step.
SMALLEST = """
    AED 2.00, ARS 0.50, AUD 0.50, BRL 0.50, CAD 0.50, CHF 0.50, COP 0.50, CZK 15.00, DKK 2.50, EUR 0.50, GBP 0.30,
    HKD 4.00, HUF 175.00, IDR 0.50, ILS 0.50, INR 0.50, JPY 50, KRW 50, MXN 10.00, MYR 2.00, NOK 3.00, NZD 0.50,
    PHP 0.50, PLN 2.00, RON 2.00, RUB 0.50, SEK 3.00, SGD 0.50, THB 10.00, USD 0.50, ZAR 0.50
"""


class TestCurrencies:
    def test_each_has_the_decimals_of_iso_4217(self) -> None:
        assert dict(DECIMALS) == ISO

    def test_each_has_the_decimals_that_stripe_counts_it_with(self) -> None:
        counted = {code: decimals(code) for code in CURRENCIES}
        assert {code for code, digits in counted.items() if digits == 0} == set(_STRIPE_WITHOUT.split())
        assert {code for code, digits in counted.items() if digits == 3} == set(_STRIPE_THREE.split())
        assert set(counted.values()) == {0, 2, 3}

    def test_each_has_the_least_charge_that_stripe_documents(self) -> None:
        documented = dict(one.split() for one in SMALLEST.replace("\n", " ").split(","))
        ranges = [chargeable(code) for code in CURRENCIES]
        found = {r.currency: printed(r.smallest, r.currency).partition(" ")[2] for r in ranges if r.smallest > r.step}
        assert found == documented
        steps = dict.fromkeys(_STRIPE_THREE.split(), 10) | {"MGA": 100}
        assert {r.currency: r.step for r in ranges if r.step > 1} == steps

    @pytest.mark.parametrize("code", sorted(CURRENCIES))
    def test_each_is_charged_up_to_eight_digits(self, code: str) -> None:
        charge = chargeable(code)
        most = 999_999 if code in ("ISK", "UGX") else 99_999_999
        assert (charge.largest, most - charge.largest < charge.step) == (most - most % charge.step, True)


# --- Cards ------------------------------------------------------------------------------------------------------------

# First and last of the leading four digits, and the lengths: as `tiffin.cards` names its sources, said a second time.
ISSUERS = [
    ("4000", "4999", (16, 18, 19)),
    ("4000", "4299", (13,)),
    ("4400", "4899", (13,)),
    ("5100", "5599", (16,)),
    ("2221", "2720", (16,)),
    ("3400", "3499", (15,)),
    ("3700", "3799", (15,)),
    ("6011", "6011", (16, 19)),
    ("6440", "6599", (16, 19)),
    ("3000", "3059", (14, 16, 19)),
    ("3090", "3099", (14, 16, 19)),
    ("3600", "3699", (14, 16, 19)),
    ("3800", "3999", (14, 16, 19)),
    ("3528", "3589", (16, 17, 18, 19)),
    ("2131", "2131", (15,)),
    ("1800", "1800", (15,)),
    ("6200", "6299", (16, 17, 18, 19)),
    ("8100", "8179", (16, 17, 18, 19)),
    ("5000", "5099", tuple(range(13, 20))),
    ("5600", "5999", tuple(range(13, 20))),
    ("6300", "6399", tuple(range(13, 20))),
    ("6700", "6799", tuple(range(13, 20))),
]


@pytest.mark.parametrize("length", range(12, 21))
def test_a_number_of_each_issuer_and_of_no_other_is_a_card_number(length: int) -> None:
    issued = {
        prefix for low, high, lengths in ISSUERS if length in lengths for prefix in range(int(low), int(high) + 1)
    }
    found = set()
    for prefix in range(10_000):
        digits = f"{prefix:04}".ljust(length - 1, "7")
        last = next(last for last in "0123456789" if _luhn(digits + last))
        if is_card_number(digits + last):
            found.add(prefix)
        assert not is_card_number(digits + str((int(last) + 1) % 10))
    assert found == issued


@pytest.mark.parametrize("length", range(13, 20))
def test_a_maestro_card_of_six_leading_digits_is_one_at_every_length(length: int) -> None:
    digits = "493698".ljust(length - 1, "7")
    assert any(is_card_number(f"{digits}{last}") for last in range(10))


# Of the sandbox, as docs/payments.md lists them.
@pytest.mark.parametrize("network", ["visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"])
@pytest.mark.parametrize("kind", ["", "_debit", "_prepaid"])
def test_a_test_card_of_each_network_is_approved(network: str, kind: str) -> None:
    world = World(MemoryDynamo())
    assert world.ask(authorize(f"pm_card_{network}{kind}")) == {"status": "AUTHORIZED", "network": network}


@pytest.mark.parametrize("method", ["pm_card_maestro", "pm_card_visa_credit", "pm_card", "pm_visa"])
def test_what_names_no_test_card_is_declined(method: str) -> None:
    assert World(MemoryDynamo()).ask(authorize(method))["code"] == "resource_missing"


# --- Moves and states -------------------------------------------------------------------------------------------------

TERMINAL = ("DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED")


def test_the_moves_of_an_order() -> None:
    assert [status.value for status in OrderStatus] == [
        *("PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY"),
        *TERMINAL,
    ]
    assert {move.value: {status.value for status in legal} for move, legal in LEGAL_IN.items()} == {
        "accept": {"AWAITING_RESTAURANT"},
        "reject": {"AWAITING_RESTAURANT"},
        "cancel": {"PLACED", "AWAITING_RESTAURANT"},
        "dispatch": {"PREPARING"},
        "deliver": {"OUT_FOR_DELIVERY"},
    }
    assert set(LEGAL_IN) == set(Move)
    assert {f"Order{status.capitalize()}": status for status in TERMINAL} == ORDER_ENDS


# As the picture in docs/payments.md has it, and two that the gateway may say to whoever read before the others moved.
PAYMENT_MOVES = {
    ("AUTHORIZING", "AUTHORIZED"),
    ("AUTHORIZING", "DECLINED"),
    ("AUTHORIZING", "CAPTURED"),
    ("AUTHORIZING", "RELEASED"),
    ("AUTHORIZED", "CAPTURING"),
    ("AUTHORIZED", "CAPTURED"),
    ("AUTHORIZED", "RELEASED"),
    ("CAPTURING", "CAPTURED"),
    ("CAPTURING", "RELEASED"),
}


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("now", Status)
def test_the_moves_of_a_payment(before: Status, now: Status) -> None:
    payment = Payment("ord_1", before, reference="pi_1")
    if (before.value, now.value) in PAYMENT_MOVES:
        assert payment._to(now).status is now
    else:
        with pytest.raises(IllegalMove):
            payment._to(now)
    assert set(LEGAL_MOVES) == set(Status)


# Before, what happened, and then: the state, and what is announced.
USES = [
    (None, "placed", "REDEEMED", ["PromoCodeRedeemed"]),
    (None, "ended_undelivered", "RESTORED", ["PromoCodeRedeemed", "PromoCodeRestored"]),
    (None, "delivered", "SPENT", ["PromoCodeRedeemed"]),
    ("REDEEMED", "placed", "REDEEMED", []),
    ("REDEEMED", "ended_undelivered", "RESTORED", ["PromoCodeRestored"]),
    ("REDEEMED", "delivered", "SPENT", []),
    ("RESTORED", "placed", "RESTORED", []),
    ("RESTORED", "ended_undelivered", "RESTORED", []),
    ("RESTORED", "delivered", "SPENT", []),
    ("SPENT", "placed", "SPENT", []),
    ("SPENT", "ended_undelivered", "SPENT", []),
    ("SPENT", "delivered", "SPENT", []),
]


@pytest.mark.parametrize(("before", "happened", "then", "told"), USES)
def test_the_states_of_a_promo_code_at_an_order(before: str | None, happened: str, then: str, told: list[str]) -> None:
    stood = State[before] if before else None
    stands = after(stood, Happened(happened))
    assert (stands.name, list(announcements(stood, stands))) == (then, told)


# --- Who reads what ---------------------------------------------------------------------------------------------------

READERS = {
    "OrderPlaced": {"promotions", "observability", "kitchens", "live"},
    "OrderAccepted": {"notifications", "kitchens", "live"},
    "OrderDispatched": {"notifications", "kitchens", "live"},
    **{
        f"Order{end.capitalize()}": {"promotions", "notifications", "observability", "live"}
        for end in ("DELIVERED", "DECLINED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED")
    },
    "PaymentAuthorized": {"notifications", "live"},
    "PaymentDeclined": set(),
    "PaymentCaptured": set(),
    "PaymentReleased": set(),
    "PromoCodeIssued": {"orders", "observability", "live"},
    "PromoCodeRedeemed": {"live"},
    "PromoCodeRestored": {"orders", "live"},
}


@pytest.mark.parametrize("name", names())
def test_each_event_is_read_by_those_who_need_it(name: str) -> None:
    services = (orders, promotions, notifications, observability, kitchens, live)
    consumers = [service.consumer for service in services]
    readers = {module.__name__.partition(".")[0] for module in consumers if name in module.consumer.names}
    assert readers == READERS[name]


# --- What others' errors mean -----------------------------------------------------------------------------------------


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "any")


# Amazon SES API v2 reference, SendEmail, "Errors".
@pytest.mark.parametrize(
    ("code", "for_good"),
    [
        ("AccountSuspendedException", True),
        ("BadRequestException", True),
        ("MailFromDomainNotVerifiedException", True),
        ("MessageRejected", True),
        ("NotFoundException", True),
        ("LimitExceededException", False),
        ("SendingPausedException", False),
        ("TooManyRequestsException", False),
    ],
)
def test_a_mail_that_ses_refuses_is_tried_again_if_that_may_help(code: str, for_good: bool) -> None:
    class Ses:
        def send_email(self, **_: Any) -> Any:
            raise refused(code)

    with pytest.raises(MailRefused) as failure:
        Mailer(Ses(), "orders@tiffin.example").send("ada@tiffin.example", Message("subject", "text"))
    assert (isinstance(failure.value, MailImpossible), str(failure.value)) == (for_good, code)


# EventBridge API reference, PutEventsResultEntry.
@pytest.mark.parametrize(
    ("code", "for_good"),
    [
        ("InvalidArgument", True),
        ("MalformedDetail", True),
        ("RedactionFailure", True),
        ("AccessDeniedException", False),
        ("InvalidAccountIdException", False),
        ("NotAuthorizedForDetailTypeException", False),
        ("NotAuthorizedForSourceException", False),
        ("InternalException", False),
        ("InternalFailure", False),
        ("ThrottlingException", False),
    ],
)
def test_an_event_that_the_bus_refuses_is_set_aside_if_it_is_at_fault(
    monkeypatch: pytest.MonkeyPatch, code: str, for_good: bool
) -> None:
    set_aside = list[str]()
    monkeypatch.setattr(outbox, "set_aside", lambda _, body, error: set_aside.append(str(error)))
    monkeypatch.setattr(outbox, "_sqs", lambda: None)

    class Bus:
        def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803
            return {"Entries": [{"ErrorCode": code} for _ in Entries]}

    order_id = f"ord_{'a' * 26}"
    item = outbox.item(
        {"order_id": order_id, "record": "EVENT#PaymentCaptured"},
        source="tiffin.payments",
        name="PaymentCaptured",
        order_id=order_id,
        data={},
        trace_header="",
    )
    image = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in item.items()}
    keys = {name: image[name] for name in ("order_id", "record")}
    record = {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image, "SequenceNumber": "7"}}
    bus: Any = Bus()
    assert outbox.relay(bus, "bus", [record]) == (None if for_good else "7")
    assert set_aside == ([code] if for_good else [])


# Step Functions API reference, SendTaskSuccess and StopExecution, "Errors".
@pytest.mark.parametrize(
    ("code", "late"),
    [
        ("TaskTimedOut", True),
        ("TaskDoesNotExist", True),
        ("InvalidToken", True),
        ("InvalidOutput", False),
        ("KmsThrottlingException", False),
        ("ThrottlingException", False),
    ],
)
def test_a_callback_is_late_if_nobody_waits_for_it(stepfunctions: Any, code: str, late: bool) -> None:
    with Stubber(stepfunctions) as stub:
        stub.add_client_error("send_task_success", code)
        with pytest.raises(CallbackRefused if late else ClientError):
            OrderWorkflow(stepfunctions, "arn").call_back("token", {"order_id": "ord_1"})


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("ExecutionDoesNotExist", True),
        ("ValidationException", True),
        ("InvalidArn", False),
        ("ThrottlingException", False),
    ],
)
def test_what_cannot_be_stopped_has_ended_or_could_not_be_asked(stepfunctions: Any, code: str, ended: bool) -> None:
    workflow = OrderWorkflow(stepfunctions, "arn:aws:states:eu-central-1:123456789012:stateMachine:order")
    with Stubber(stepfunctions) as stub:
        stub.add_client_error("stop_execution", code)
        if ended:
            assert workflow.stop("ord_1", "OrderCancelled", "") is False
        else:
            with pytest.raises(ClientError):
                workflow.stop("ord_1", "OrderCancelled", "")


@pytest.fixture(scope="module")
def stepfunctions() -> Any:
    return boto3.client(
        "stepfunctions", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


# DynamoDB developer guide, "Error handling with DynamoDB".
@pytest.mark.parametrize(
    ("code", "for_good"),
    [
        ("ValidationException", True),
        ("AccessDeniedException", False),
        ("ConditionalCheckFailedException", False),
        ("InternalServerError", False),
        ("ItemCollectionSizeLimitExceededException", False),
        ("LimitExceededException", False),
        ("ProvisionedThroughputExceededException", False),
        ("RequestLimitExceeded", False),
        ("ResourceInUseException", False),
        ("ResourceNotFoundException", False),
        ("ServiceUnavailable", False),
        ("ThrottlingException", False),
        ("TransactionConflictException", False),
        ("UnrecognizedClientException", False),
    ],
)
def test_what_a_table_refuses_is_tried_again_if_that_may_help(code: str, for_good: bool) -> None:
    assert no_retry_mends(refused(code)) is for_good


def test_no_event_is_left_out() -> None:
    assert set(names()) == set(READERS)
