"""A smoke test is refused where cards are charged, and what it made is gone after it, whatever happened in between."""

from types import SimpleNamespace
from typing import Any

import pytest
import smoke
from botocore.exceptions import ClientError
from laptop.people import KNOWN, Person
from operations import deployed, scenarios, visiting
from operations.deployed import Deployed
from operations.personal import StillOpen
from operations.scenarios import NotForTests, RealMoney, must_be_for_tests, must_be_play_money
from operations.visiting import Visit
from tiffin.callers import Role

ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"
OUTPUTS = {
    "ApiUrl": "http://127.0.0.1:9/orders",
    "PromotionsApiUrl": "http://127.0.0.1:9/promotions",
    "PaymentsFunctionArn": "arn:payments",
    "UserPoolId": "pool",
}


class Account:
    """As much of an AWS account as is asked before anything is made, and a user pool.

    Attributes:
        variables: of the payments function.
        secret: what the secret says; None if it may not be read.
        protection: from deletion, of the user pool.
        users: who is in the pool.
        clients: the pool's app clients.
        fails: what the pool refuses.
    """

    class UserNotFound(Exception):
        pass

    class UsernameExists(Exception):
        pass

    exceptions = SimpleNamespace(UserNotFoundException=UserNotFound, UsernameExistsException=UsernameExists)

    def __init__(self, provider: str = "sandbox", secret: str | None = None) -> None:
        self.variables = {"PAYMENT_PROVIDER": provider, "STRIPE_SECRET_NAME": "tiffin/stripe"}
        self.secret = secret
        self.protection = "INACTIVE"
        self.users, self.clients, self.fails, self.read = set[str](), set[str](), set[str](), list[str]()

    def stack(self) -> Deployed:
        return Deployed(lambda _: self, OUTPUTS, region="eu-central-1")

    def get_function_configuration(self, **asked: str) -> dict[str, Any]:
        assert asked == {"FunctionName": "arn:payments"}
        return {"Environment": {"Variables": self.variables}}

    def get_secret_value(self, **asked: str) -> dict[str, Any]:
        self.read.append(asked["SecretId"])
        if self.secret is None:
            raise refusal("GetSecretValue")
        return {"SecretString": self.secret}

    def describe_user_pool(self, **asked: str) -> dict[str, Any]:
        assert asked == {"UserPoolId": "pool"}
        return {"UserPool": {"DeletionProtection": self.protection}}

    def create_user_pool_client(self, **asked: Any) -> dict[str, Any]:
        self.clients.add(asked["ClientName"])
        return {"UserPoolClient": {"ClientId": asked["ClientName"]}}

    def delete_user_pool_client(self, **asked: str) -> None:
        self._may("delete_user_pool_client")
        self.clients.remove(asked["ClientId"])

    def admin_create_user(self, **asked: Any) -> None:
        assert asked["MessageAction"] == "SUPPRESS"
        self.users.add(asked["Username"])

    def admin_set_user_password(self, **asked: Any) -> None:
        self._may("admin_set_user_password")
        assert asked["Permanent"]

    def admin_add_user_to_group(self, **asked: Any) -> None:
        assert asked["GroupName"] in set(Role)

    def admin_initiate_auth(self, **asked: Any) -> dict[str, Any]:
        assert asked["ClientId"] in self.clients
        return {"AuthenticationResult": {"IdToken": "h.e30.s"}}

    def admin_delete_user(self, **asked: str) -> None:
        self._may("admin_delete_user")
        if asked["Username"] not in self.users:
            raise self.UserNotFound
        self.users.remove(asked["Username"])

    def _may(self, call: str) -> None:
        if call in self.fails:
            raise refusal(call)


def refusal(call: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, call)


class TestMoney:
    def test_the_sandbox_is_play_money_and_no_secret_is_read(self) -> None:
        account = Account()
        assert must_be_play_money(account.stack()) == "sandbox"
        assert account.read == []

    @pytest.mark.parametrize("key", ["sk_test_51abc", "rk_test_51abc"])
    def test_a_key_of_stripe_s_test_mode_is_play_money(self, key: str) -> None:
        account = Account("stripe", key)
        assert must_be_play_money(account.stack()) == "stripe"
        assert account.read == ["tiffin/stripe"]

    @pytest.mark.parametrize("key", ["sk_live_51abc", "rk_live_51abc", "", "whsec_51abc", " sk_test_51abc"])
    def test_every_other_key_is_refused_without_being_told(self, key: str) -> None:
        with pytest.raises(RealMoney) as refused:
            must_be_play_money(Account("stripe", key).stack())
        assert "tiffin/stripe" in str(refused.value)
        assert "51abc" not in str(refused.value)

    @pytest.mark.parametrize("account", [Account("stripe", None), Account("adyen", "sk_test_51abc")])
    def test_what_cannot_be_known_is_refused(self, account: Account) -> None:
        with pytest.raises(RealMoney, match=r"known|knows"):
            must_be_play_money(account.stack())

    def test_a_stack_that_is_no_tiffin_is_refused(self) -> None:
        with pytest.raises(RealMoney, match="PaymentsFunctionArn"):
            must_be_play_money(Deployed(lambda _: Account(), {}))


class TestForTests:
    def test_a_stack_that_nobody_protects_and_whose_books_can_be_read_is_for_tests(self) -> None:
        must_be_for_tests(Account().stack())

    def test_a_stack_whose_users_are_protected_is_not(self) -> None:
        account = Account()
        account.protection = "ACTIVE"
        with pytest.raises(NotForTests, match="make smoke"):
            must_be_for_tests(account.stack())

    def test_a_stack_with_stripe_s_test_mode_is_not(self) -> None:
        with pytest.raises(NotForTests, match="make smoke"):
            must_be_for_tests(Account("stripe", "sk_test_51abc").stack())


@pytest.fixture
def personal(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What forgetting does: what it raises, by the customer's name; and who was forgotten."""
    said: dict[str, Any] = {"forgotten": []}

    class Personal:
        def __init__(self, stack: Deployed) -> None:
            self._pool = stack.client("cognito-idp")

        def forget(self, email: str) -> list[str]:
            name = email.partition("@")[0].rpartition("-")[2]
            if name in said:
                raise said[name]
            self._pool.admin_delete_user(Username=email)
            said["forgotten"].append(name)
            return []

    monkeypatch.setattr(visiting, "Personal", Personal)
    monkeypatch.setattr(visiting, "_PATIENCE", 0.2)
    return said


def arrive(visit: Visit) -> None:
    for person in ("ada", KNOWN["carl"], visit.cook, Person("alan")):
        visit.guests._make(visit_person(person))
    visit.guests.open()


def visit_person(person: Person | str) -> Person:
    return Person(person) if isinstance(person, str) else person


class TestLeaving:
    def test_everybody_is_gone_after_a_failure_and_customers_are_forgotten(self, personal: dict[str, Any]) -> None:
        account = Account()
        visit = Visit(account.stack(), "smoke")
        with pytest.raises(KeyError), visit:
            arrive(visit)
            assert (len(account.users), len(account.clients)) == (4, 1)
            raise KeyError("a defect")
        assert (account.users, account.clients, visit.left) == (set(), set(), [])
        assert sorted(personal["forgotten"]) == ["ada", "alan"]

    def test_a_customer_who_cannot_be_forgotten_has_no_account_any_more_and_it_is_said(
        self, personal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Visit, "_end", lambda *_: None)
        account, personal["ada"] = Account(), StillOpen([ORDER], disabled=True)
        with Visit(account.stack(), "smoke") as visit:
            arrive(visit)
        assert (account.users, account.clients) == (set(), set())
        [left] = visit.left
        assert "-ada@tiffin.example" in left
        assert ORDER in left

    def test_what_cannot_be_removed_is_said_and_keeps_nothing_else(self, personal: dict[str, Any]) -> None:
        account, personal["ada"], personal["alan"] = Account(), refusal("Query"), refusal("Query")
        account.fails = {"admin_delete_user"}
        with Visit(account.stack(), "smoke") as visit:
            arrive(visit)
        assert account.clients == set()
        assert len(visit.left) == 2 + 4
        assert all("AccessDenied" in left for left in visit.left)

    def test_an_account_that_was_made_by_half_is_removed(self, personal: dict[str, Any]) -> None:
        account = Account()
        account.fails = {"admin_set_user_password"}
        with pytest.raises(ClientError), Visit(account.stack(), "smoke") as visit:
            visit.guests.token("ada")
        assert account.users == set()

    def test_a_defect_in_forgetting_keeps_no_account(self, personal: dict[str, Any]) -> None:
        account, personal["ada"] = Account(), KeyError("a defect")
        with pytest.raises(KeyError), Visit(account.stack(), "smoke") as visit:
            arrive(visit)
        assert (account.users, account.clients) == (set(), set())

    def test_two_visits_share_no_name(self, personal: dict[str, Any]) -> None:
        one, other = (Visit(Account().stack(), "smoke") for _ in range(2))
        assert one.name != other.name
        assert one.guests.email(Person("ada")) != other.guests.email(Person("ada"))
        assert one.restaurant_id.startswith("r-smoke-")
        assert one.guests.email(Person("x" * 60)) != one.guests.email(Person("x" * 60 + "y"))


class TestCommand:
    @pytest.fixture
    def account(self, monkeypatch: pytest.MonkeyPatch) -> Account:
        account = Account()
        monkeypatch.setattr(deployed, "reach", lambda _: account.stack())
        return account

    def test_a_live_key_ends_it_before_anything_is_made(
        self, account: Account, personal: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        account.variables["PAYMENT_PROVIDER"], account.secret = "stripe", "sk_live_51abc"
        assert smoke.main(["--region", "eu-central-1"]) == 1
        assert "none of Stripe's test mode" in capsys.readouterr().out
        assert (account.users, account.clients) == (set(), set())

    def test_a_step_that_fails_is_told_with_its_order_and_the_command_that_explains_it(
        self,
        account: Account,
        personal: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def fail(visit: Visit, _: Any) -> None:
            arrive(visit)
            raise scenarios.Unwell("declined", "it was not", ORDER)

        monkeypatch.setattr(scenarios, "smoke", fail)
        assert smoke.main(["--region", "eu-central-1", "--stack", "tiffin-x"]) == 1
        said = capsys.readouterr().out
        assert "declined: it was not" in said
        assert f"make trace ORDER={ORDER} STACK=tiffin-x REGION=eu-central-1" in said
        assert (account.users, account.clients) == (set(), set())

    def test_what_is_left_is_no_success(
        self,
        account: Account,
        personal: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(scenarios, "smoke", lambda visit, _: arrive(visit))
        account.fails = {"delete_user_pool_client"}
        assert smoke.main([]) == 1
        assert "still there: the app client smoke-" in capsys.readouterr().out

    def test_all_is_well_where_all_is_removed(
        self, account: Account, personal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scenarios, "smoke", lambda visit, _: arrive(visit))
        assert smoke.main([]) == 0
