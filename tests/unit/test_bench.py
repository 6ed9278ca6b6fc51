"""What `make bench` measures and says: the machinery around the figures, without the figures."""

import json
import zipfile
from pathlib import Path

import bench
import pytest
from lab import benching, coldstart
from lab.benching import CASES, Bench, Case, Row, Subject
from lab.coldstart import Package, Started
from laptop import measured
from operations.container_names import Names
from worlds import ROOT


def test_every_function_of_the_templates_is_measured_with_a_sample_that_there_is() -> None:
    functions = Names.of(()).functions
    assert len(functions) >= 15
    assert sorted(case.function for case in CASES) == sorted(functions)
    missing = [case.sample for case in CASES if not (ROOT / "events/invocations" / f"{case.sample}.json").is_file()]
    assert missing == []


def subject(init: float, first: float, *, count: float = 1000, zipped: int = 10**6) -> Subject:
    package = Package(
        "Orders/ApiFunction", "orders.api.handler", Path("code"), [Path("layer")], zipped=[1000, zipped - 1000]
    )
    starts = [Started(init * part, first, [first / 2, first / 4, first / 4], 64.0) for part in (0.5, 1, 9)]
    made = Subject(package, lambda: b"{}", starts=starts)
    made.init_count, made.first_count = count - 10, count
    return made


class Machine:
    """What a page says of the machinery."""

    boto3 = "1.2.3"


CASE = Case("Orders/ApiFunction", "OrdersApiFunction-get-order", 0.35, "Orders/ApiFunction")


def told(now: Subject, former: Subject | None, *, counts: bool = True) -> str:
    made = Bench(Machine(), [Row(CASE, now, former)], {"an empty handler": subject(30, 1)}, None)  # type: ignore[arg-type]
    return benching.page(made, 3, counts=counts)


def test_a_page_has_medians_and_what_became_of_the_former_sum() -> None:
    page = told(subject(100, 20, count=300), subject(380, 20, count=1000))
    assert "| `Orders/ApiFunction` | 100 | 20.0 | 5.0 | 64 | 1 + 999 | 290 | 300 |" in page
    assert "| `Orders/ApiFunction` | 0.30 | 0.30 | 0.35 | 1,000 | ✓ |" in page
    assert "boto3 1.2.3" in page


@pytest.mark.parametrize(
    ("now", "verdict"),
    [(subject(140, 20, count=300), "✗ slower than that"), (subject(100, 20, count=360), "✗ slower than that"),
     (subject(100, 20, count=300, zipped=8_000_001), "✗ larger than that")],
)  # fmt: skip
def test_a_target_that_is_missed_is_said(now: Subject, verdict: str) -> None:
    assert verdict in told(now, subject(380, 20, count=1000))


def test_what_was_not_there_before_has_no_ratio_and_without_valgrind_nothing_is_counted() -> None:
    page = told(subject(100, 20), None, counts=False)
    assert "| `Orders/ApiFunction` | was not there |  | 1,000 | ✓ |" in page
    assert "instructions |" not in page


def test_the_page_has_a_place_for_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text((ROOT / "docs" / "benchmarks.md").read_text())
    measured.replace(page, bench.COMMAND, "| new |")
    assert "| new |" in page.read_text()


def test_each_invocation_is_about_another_order_in_whatever_it_is_wrapped() -> None:
    for sample in ("PromotionsConsumerFunction-delivered", "KitchensConsumerFunction-prepared"):
        text = (ROOT / "events/invocations" / f"{sample}.json").read_text()
        one, other = json.loads(benching._another(text)), json.loads(benching._another(text))
        assert len(one["Records"]) == len(other["Records"])
        for record, another in zip(one["Records"], other["Records"], strict=True):
            assert record != another
    batch = json.loads(benching._one_record(json.dumps({"Records": [1, 2, 3]})))
    assert batch == {"Records": [3]}


def test_a_package_is_weighed_as_it_is_zipped(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("x = 1\n" * 1000)
    size = coldstart.zipped(tmp_path)
    with zipfile.ZipFile(tmp_path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "handler.py", "handler.py")
    assert size == tmp_path.with_suffix(".zip").stat().st_size


def test_the_runtime_holds_boto3_and_the_client_of_the_runtime_api_with_all_they_need() -> None:
    names = {distribution.metadata["Name"].lower() for distribution in coldstart._needed("awslambdaric", "boto3")}
    assert {"awslambdaric", "boto3", "botocore", "urllib3", "simplejson"} <= names
    assert not names & {"pydantic", "aws-lambda-powertools"}
