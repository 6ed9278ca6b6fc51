"""The stand-in for Stripe lets nobody in whom a web page sent: it could empty the books, or have it call out."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from laptop.environment import ROOT
from laptop.providers import LOCAL_KEY

OURS = {"Authorization": f"Bearer {LOCAL_KEY}"}


@pytest.fixture(scope="module")
def stand_in() -> Iterator[httpx.Client]:
    program = ROOT / "scripts" / "localstripe_server.py"
    process = subprocess.Popen([sys.executable, str(program), "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        with httpx.Client(base_url=process.stdout.readline().strip(), trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.mark.parametrize(
    ("header", "headers"),
    [
        ("Origin", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
        ("Origin", {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-site"}),
        ("Sec-Fetch-Site", {"Sec-Fetch-Site": "cross-site"}),
        ("Host", {"Host": "evil.example:8420"}),
    ],
)
def test_what_a_page_sends_changes_no_books(stand_in: httpx.Client, header: str, headers: dict[str, str]) -> None:
    held = {"amount": 2350, "currency": "eur", "payment_method": "pm_card_visa", "capture_method": "manual"}
    intent = stand_in.post("/v1/payment_intents", data=held, headers=OURS).json()["id"]

    refused = [
        stand_in.post("/_config/fail_next", headers=headers),
        stand_in.delete("/_config/data", headers=headers),
        stand_in.post("/_config/webhooks/evil", content="url=http://evil.example&secret=s", headers=headers),
        stand_in.post("/v1/tokens", content="key=pk_test_evil", headers=headers),
        stand_in.get("/v1/payment_intents", headers=OURS | headers),
        stand_in.options("/v1/payment_intents", headers=headers),
    ]

    for answer in refused:
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.text)["header"] == header
        assert "access-control-allow-origin" not in answer.headers
    kept = stand_in.get(f"/v1/payment_intents/{intent}", headers=OURS)
    assert kept.status_code == 200
    assert "access-control-allow-origin" not in kept.headers
