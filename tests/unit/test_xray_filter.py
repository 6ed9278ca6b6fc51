"""Filter expressions: which traces each selects, and what is refused."""

from typing import Any

import pytest
from laptop.record import xray_filter
from laptop.record.xray_filter import InvalidFilter, Scope

API = {
    "trace_id": "1-a",
    "id": "api",
    "name": "orders/v1",
    "origin": "AWS::ApiGateway::Stage",
    "start_time": 100.0,
    "end_time": 100.5,
    "http": {"request": {"method": "POST", "url": "/orders"}, "response": {"status": 201}},
}
FUNCTION: dict[str, Any] = {
    "trace_id": "1-a",
    "id": "fn",
    "parent_id": "api",
    "name": "ApiFunction",
    "origin": "AWS::Lambda::Function",
    "start_time": 100.1,
    "end_time": 102.0,
    "fault": True,
    "subsegments": [
        {
            "id": "sub",
            "name": "## handler",
            "start_time": 100.1,
            "end_time": 100.3,
            "annotations": {"order_id": "ord_1", "ColdStart": True, "count": 3, "Service": "orders"},
        }
    ],
}
TRACE = Scope([API, FUNCTION])


@pytest.mark.parametrize(
    "expression",
    [
        "",
        'annotation.order_id = "ord_1"',
        'annotation["order_id"] = "ord_1"',
        'annotation[order_id] = "ord_1"',
        "annotation.ColdStart = true",
        "annotation.count >= 3",
        'annotation.order_id BEGINSWITH "ord_"',
        "annotation.order_id",
        'service("ApiFunction")',
        'service("ApiFunction") { fault }',
        'service(id(name: "ApiFunction", type: "AWS::Lambda::Function"))',
        'service("orders")',
        "ok",
        "!fault",
        "fault = false",
        "duration > 1.9 AND responsetime < 1",
        'http.method = "POST" AND http.status = 201',
        'annotation.order_id = "other" OR ok',
        '(annotation.order_id = "other" OR ok) AND !error',
        'annotation.order_id = "other" AND fault OR ok',
    ],
)
def test_an_expression_that_is_true_of_a_trace_selects_it(expression: str) -> None:
    assert xray_filter.parse(expression).matches(TRACE)


@pytest.mark.parametrize(
    "expression",
    [
        'annotation.order_id = "ord_2"',
        'annotation.order_id != "ord_1"',
        'annotation.count = "3"',
        "annotation.missing",
        'service("Nobody")',
        'service("orders/v1") { fault }',
        "fault",
        "duration > 2",
        '!(annotation.order_id = "ord_1")',
        'annotation.order_id = "ord_1" AND duration > 2',
        '(annotation.order_id = "other" OR ok) AND error',
    ],
)
def test_an_expression_that_is_false_of_a_trace_passes_it_over(expression: str) -> None:
    assert not xray_filter.parse(expression).matches(TRACE)


@pytest.mark.parametrize(
    "expression",
    [
        "annotation.order_id =",
        "annotation.",
        "annotation.a = ord",
        "weather = 1",
        "(ok",
        "ok ok",
        "ok AND",
        "service(",
        "&",
    ],
)
def test_a_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidFilter):
        xray_filter.parse(expression)


def test_only_what_every_match_must_have_is_looked_up_first() -> None:
    both = xray_filter.parse('annotation.a = "1" AND (annotation.b = "2" AND ok)')
    either = xray_filter.parse('annotation.a = "1" OR annotation.b = "2"')
    negated = xray_filter.parse('!annotation.a = "1"')
    assert both.annotated == {"a": "1", "b": "2"}
    assert either.annotated == negated.annotated == {}
