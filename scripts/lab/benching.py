"""What `make bench` measures, and what it says of it: every function of the templates, beside what it is compared with.

All functions stand on one emulator of AWS that holds two stacks: the application as it is, and as it was at `FORMER`,
both built and deployed by the real SAM CLI. What is measured is what was deployed: code, layers and environment come
from the emulator's Lambda. So a first invocation finds real tables, queues and buckets, and does its work.
"""

import base64
import json
import re
import shutil
import statistics
import subprocess
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import httpx
from boto3.dynamodb.types import TypeSerializer
from laptop import Stack, deployment, measured
from laptop.environment import ROOT, signed
from laptop.people import RESTAURANT
from operations.containers import session
from operations.deployed import Deployed

from . import chains, estimating
from .chains import Chain
from .coldstart import WARM, NotMeasured, Package, Runtime, Started, compiled, zipped
from .standby import Prices, Standby

FORMER = "8db72e5"
"""The commit whose code is (b)."""
SERVICE_LIMIT = 8 * 10**6
"""Bytes that a package may have, zipped."""
_SAMPLES = Path("events", "invocations")
_ORDER = re.compile(r"ord_[a-z2-7]{26}")
_CUSTOMER = "5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11"


@dataclass(frozen=True)
class Case:
    """A function, and what it is invoked with.

    Attributes:
        function: its path in the root stack, such as `Orders/ApiFunction`.
        sample: which of `events/invocations`.
        at_most: of the figures of (b), in the sum of INIT and first invocation.
        former: its path at `FORMER`, where it was there.
        former_sample: which sample it had.
        fresh: whether each invocation is about an order and a customer of its own, as one that is repeated would be
            found done.
    """

    function: str
    sample: str
    at_most: float
    former: str = ""
    former_sample: str = ""
    fresh: bool = True


_API, _OTHER = 0.35, 0.3
CASES = [
    Case("Orders/ApiFunction", "OrdersApiFunction-get-order", _API, "Orders/ApiFunction", fresh=False),
    Case("Orders/ReconcilerFunction", "OrdersReconcilerFunction-each-minute", _OTHER, "Orders/ReconcilerFunction"),
    Case(
        "Orders/ConsumerFunction", "OrdersConsumerFunction-issued", _OTHER,
        "Orders/ProjectionFunction", "OrdersProjectionFunction-issued",
    ),
    Case("Orders/MenusFunction", "OrdersMenusFunction-taken", _OTHER, fresh=False),
    Case("Payments/PaymentsFunction", "PaymentsFunction-authorize", _OTHER, "Payments/PaymentsFunction"),
    Case(
        "Payments/OutboxRelayFunction", "PaymentsOutboxRelayFunction-authorized", _OTHER,
        "Payments/OutboxRelayFunction",
    ),
    Case("Promotions/ApiFunction", "PromotionsApiFunction-list", _API, "Promotions/ApiFunction", fresh=False),
    Case("Promotions/ConsumerFunction", "PromotionsConsumerFunction-delivered", _OTHER, "Promotions/ConsumerFunction"),
    Case(
        "Promotions/OutboxRelayFunction", "PromotionsOutboxRelayFunction-issued", _OTHER,
        "Promotions/RelayFunction", "PromotionsRelayFunction-issued",
    ),
    Case("Support/ApiFunction", "SupportApiFunction-get-definitions", _API, fresh=False),
    Case(
        "Notifications/ConsumerFunction", "NotificationsConsumerFunction-delivered", _OTHER,
        "Notifications/ConsumerFunction",
    ),
    Case(
        "Observability/ConsumerFunction", "ObservabilityConsumerFunction-delivered", _OTHER,
        "Observability/MetricsFunction", "ObservabilityMetricsFunction-delivered",
    ),
    Case("Live/ApiFunction", "LiveApiFunction-issue-ticket", _API, fresh=False),
    Case("Live/GateFunction", "LiveGateFunction-disconnect", _OTHER, fresh=False),
    Case("Live/ConsumerFunction", "LiveConsumerFunction-delivered", _OTHER),
    Case("KitchensService/ConsumerFunction", "KitchensConsumerFunction-prepared", _OTHER),
    # The copy first: the others of the service work with what it leaves.
    Case("EstimatesService/CopyFunction", "EstimatesCopyFunction-uploaded", _OTHER, fresh=False),
    Case("EstimatesService/ConsumerFunction", "EstimatesConsumerFunction-accepted", _OTHER),
    Case("EstimatesService/ApiFunction", "EstimatesApiFunction-get-estimate", _API, fresh=False),
]  # fmt: skip


@dataclass
class Subject:
    """A package, and what came of it.

    Attributes:
        package: the function.
        event: makes what it is invoked with.
        before: is called before each cold start.
        starts: the cold starts that were measured.
        init_count: instructions of INIT, in millions; 0 if they were not counted.
        first_count: those of INIT and the first invocation.
    """

    package: Package
    event: Callable[[], bytes]
    before: Callable[[], None] = lambda: None
    starts: list[Started] = field(default_factory=list)
    init_count: float = 0
    first_count: float = 0

    @property
    def init(self) -> float:
        """Milliseconds of INIT, the median."""
        return statistics.median(start.init for start in self.starts)

    @property
    def first(self) -> float:
        """Milliseconds of the first invocation, the median."""
        return statistics.median(start.first for start in self.starts)

    @property
    def cold(self) -> float:
        """Milliseconds of INIT and the first invocation together, the median."""
        return statistics.median(start.init + start.first for start in self.starts)

    @property
    def warm(self) -> float:
        """Milliseconds of a later invocation, the median."""
        return statistics.median(took for start in self.starts for took in start.warm)

    @property
    def peak(self) -> float:
        """MB of memory at most, the median."""
        return statistics.median(start.peak for start in self.starts)


@dataclass
class Row:
    """A function and its former self, where it has one."""

    case: Case
    now: Subject
    former: Subject | None = None


@dataclass
class Bench:
    """All that is measured in one run.

    Attributes:
        runtime: runs them.
        rows: the functions.
        others: what else stands in the table, by what it is called there.
        stack: the application, deployed.
        chain: an order's way to its payment, cold and warm; empty, if that was not measured.
    """

    runtime: Runtime
    rows: list[Row]
    others: dict[str, Subject]
    stack: Stack
    chain: dict[str, Chain] = field(default_factory=dict)

    def subjects(self) -> Iterator[Subject]:
        """All of them, a function's former self beside it."""
        yield from self.others.values()
        for row in self.rows:
            yield row.now
            if row.former:
                yield row.former

    def measure(self, repeats: int, tell: Callable[[str], None]) -> None:
        """Take all times, one after the other, in rounds: whatever else the machine does meets all of them."""
        subjects = list(self.subjects())
        _silence(self.stack)
        for turn in range(repeats):
            for number, subject in enumerate(subjects, 1):
                tell(f"Round {turn + 1} of {repeats}: {number} of {len(subjects)}, {subject.package.name}")
                subject.before()
                events = [subject.event() for _ in range(1 + WARM)]
                subject.starts.append(self.runtime.start(subject.package, events))
        if not self.runtime.traced:
            raise NotMeasured("No function has sent a trace: tracing would be missing in the figures.")

    def follow(self, repeats: int, tell: Callable[[str], None]) -> None:
        """Take the time of orders, while rules and queues still work: before all else."""
        self.chain = chains.measure(self.stack, repeats, tell)

    def count(self, tell: Callable[[str], None]) -> None:
        """Count instructions, two at a time: how long it takes does not matter."""
        todo = list(self.subjects())

        def counted(subject: Subject) -> None:
            subject.before()
            init, first = self.runtime.count(subject.package, subject.event())
            subject.init_count, subject.first_count = init / 1e6, first / 1e6

        with ThreadPoolExecutor(2) as pool:
            for number, _ in enumerate(pool.map(counted, todo), 1):
                tell(f"Instructions counted of {number} of {len(todo)} functions")


@contextmanager
def bench(folder: Path, tell: Callable[[str], None], only: str = "") -> Iterator[Bench]:
    """Build and deploy what is measured, and keep it while that is done.

    Args:
        folder: empty.
        tell: is told what comes next.
        only: a part of the names of the functions to be measured; all by default.
    """
    with ExitStack() as kept:
        tell("Building and deploying the application")
        stack = Stack.up(state_dir=folder / "state", parameters={"Kitchens": "true", "Estimates": "true"})
        kept.enter_context(stack)
        # Estimates are made with what the copy leaves.
        wanted = ("Estimates", only) if "Estimates" in only else (only,)
        cases = [case for case in CASES if any(_spoken(part) in _spoken(case.function) for part in wanted)]
        runtime = kept.enter_context(Runtime(_made(folder / "run"), stack.access.variables()))
        packages = _packages(stack, "tiffin", _made(folder / "now"))
        models = folder / "models"
        events = _events_of_now(stack, folder)
        rows = [Row(case, _subject(case, case.function, case.sample, ROOT, packages, events)) for case in cases]
        for row in rows:
            if row.case.function.startswith("EstimatesService/"):
                _on_a_file_system(row.now, models, runtime)
        others = {"an empty handler": _Other("empty", folder).subject()}
        former = former_tree(folder / "former")
        if former:
            tell(f"Building and deploying the code of {FORMER}")
            was = _former_packages(stack, former, folder)
            for row in rows:
                if row.case.former:
                    sample = row.case.former_sample or row.case.sample
                    row.former = _subject(row.case, row.case.former, sample, former, was, {})
            orders = packages["Orders/ApiFunction"].environment["ORDERS_TABLE"]
            event = (ROOT / _SAMPLES / "OrdersApiFunction-get-order.json").read_bytes()
            usual = _Other("stack", folder, {"ORDERS_TABLE": orders, **_USUAL}, lambda: event)
            layer = next(iter(was.values())).layers[0]
            others["the usual stack, as `sam build` ships it"] = usual.subject(layer)
            others["the usual stack, with bytecode"] = usual.subject(layer, bytecode=True)
        yield Bench(runtime, rows, others, stack)


_USUAL = {"POWERTOOLS_SERVICE_NAME": "usual", "POWERTOOLS_METRICS_NAMESPACE": "Usual", "LOG_LEVEL": "INFO"}
# Of the former layer, what the usual stack needs: no Stripe, and no package of Tiffin's.
_NOT_USUAL = ("stripe", "requests", "certifi", "charset_normalizer", "idna", "urllib3", "tiffin")


@dataclass(frozen=True)
class _Other:
    """A handler of `scripts/lab/usual`."""

    module: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    event: Callable[[], bytes] = lambda: b"{}"

    def subject(self, layer: Path | None = None, *, bytecode: bool = False) -> Subject:
        """It, with a layer of what it needs."""
        own = self.folder / f"{self.module}{'-compiled' if bytecode else ''}"
        code = _made(own / "task")
        shutil.copyfile(Path(__file__).with_name("usual") / f"{self.module}.py", code / f"{self.module}.py")
        layers = []
        if layer:
            leave = shutil.ignore_patterns("__pycache__", *(f"{name}*" for name in _NOT_USUAL))
            shutil.copytree(layer, own / "opt", ignore=leave)
            layers.append(own / "opt")
        if bytecode:
            for each in (code, *layers):
                compiled(each)
        sizes = [zipped(each) for each in (code, *layers)]
        package = Package(self.module, f"{self.module}.handler", code, layers, self.environment, zipped=sizes)
        return Subject(package, self.event)


def former_tree(folder: Path) -> Path | None:
    """The tree of `FORMER`, from git; None where git does not know it."""
    asked = ["git", "archive", "--format=tar", FORMER]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tree:
        tree.extractall(_made(folder), filter="data")
    return folder


def _former_packages(stack: Stack, tree: Path, folder: Path) -> dict[str, Package]:
    """Deploy the former code, and give it what its functions read: menus, and an order."""
    outputs = deployment.deploy(stack.access, tree / "template.yaml", "former", state_dir=folder / "state")
    dynamodb, item = stack.client("dynamodb"), TypeSerializer().serialize
    for restaurant in json.loads((tree / "scripts" / "menus.json").read_text()):
        dynamodb.put_item(TableName=outputs["MenusTableName"], Item=item(restaurant)["M"])
    deployed = Deployed(stack.client, outputs, "former")
    _invoke(stack, _names(deployed)["Orders/ApiFunction"], tree, "OrdersApiFunction-place-order")
    return _packages(stack, "former", _made(folder / "former-packages"), bytecode=False)


def _events_of_now(stack: Stack, folder: Path) -> dict[str, Callable[[str], str]]:
    """Give the functions what they read, and say how their samples name it, by function."""
    names = _names(Deployed(stack.client, stack.outputs))
    _invoke(stack, names["Orders/ApiFunction"], ROOT, "OrdersApiFunction-place-order")
    estimating.put_in_force(stack, estimating.small_model())
    _invoke(stack, names["EstimatesService/ConsumerFunction"], ROOT, "EstimatesConsumerFunction-accepted")
    s3 = stack.client("s3")

    def menu(sample: str) -> str:
        event = json.loads(sample)
        bucket, key = stack.outputs["MenusBucketName"], f"{RESTAURANT}.json"
        head = s3.head_object(Bucket=bucket, Key=key)
        event["detail"]["bucket"]["name"] = bucket
        event["detail"]["object"] |= {
            "key": key, "size": head["ContentLength"], "etag": head["ETag"].strip('"'),
            "version-id": head["VersionId"], "sequencer": f"{uuid.uuid4().int >> 64:016X}",
        }  # fmt: skip
        return json.dumps(event)

    def model(sample: str) -> str:
        event = json.loads(sample)
        bucket, key = stack.outputs["ModelsBucketName"], estimating.KEY
        head = s3.head_object(Bucket=bucket, Key=key)
        event["detail"]["bucket"]["name"] = bucket
        event["detail"]["object"] |= {"key": key, "size": head["ContentLength"], "etag": head["ETag"].strip('"')}
        return json.dumps(event)

    return {"Orders/MenusFunction": menu, "EstimatesService/CopyFunction": model}


def _silence(stack: Stack) -> None:
    """Let nothing else run on the emulator: what a function announces wakes nobody, and no minute passes."""
    functions, events, schedules = (stack.client(service) for service in ("lambda", "events", "scheduler"))
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for bus in events.list_event_buses()["EventBuses"]:
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            events.disable_rule(Name=rule["Name"], EventBusName=bus["Name"])
    for schedule in schedules.list_schedules()["Schedules"]:
        schedules.delete_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])


def _subject(
    case: Case,
    function: str,
    sample: str,
    tree: Path,
    packages: dict[str, Package],
    events: dict[str, Callable[[str], str]],
) -> Subject:
    text = (tree / _SAMPLES / f"{sample}.json").read_text()
    named = events.get(function, str)

    def event() -> bytes:
        return _one_record(_another(named(text)) if case.fresh else named(text)).encode()

    return Subject(packages[function], event)


def _another(text: str) -> str:
    """The same event, about orders and a customer that nobody has heard of."""
    orders = {order: _order_id() for order in _ORDER.findall(text)}
    customer = str(uuid.uuid4())

    def renamed(text: str) -> str:
        return _ORDER.sub(lambda found: orders.setdefault(found[0], _order_id()), text).replace(_CUSTOMER, customer)

    def inside(found: re.Match[str]) -> str:
        return f'"data": "{base64.b64encode(renamed(base64.b64decode(found[1]).decode()).encode()).decode()}"'

    return re.sub(r'"data": ?"([A-Za-z0-9+/=]{40,})"', inside, renamed(text))


def _one_record(text: str) -> str:
    """A batch of its last record: samples have as many as their stories needed, which differed."""
    event = json.loads(text)
    return json.dumps(event | {"Records": event["Records"][-1:]}) if "Records" in event else text


def _order_id() -> str:
    return "ord_" + base64.b32encode(uuid.uuid4().bytes).decode().lower()[:26]


def _on_a_file_system(subject: Subject, models: Path, runtime: Runtime) -> None:
    """A folder here stands for the mounted one. A copy finds it empty each time, the others with the model in it."""
    name = subject.package.name.rpartition("/")[2]
    own, kept = models / name, models / "kept"
    copies = name == "CopyFunction"
    environment = {**subject.package.environment, "MODELS_FOLDER": str(own)}
    subject.package = replace(subject.package, environment=environment)
    if copies:
        kept.mkdir(parents=True)
        filling = replace(subject.package, environment=environment | {"MODELS_FOLDER": str(kept)})
        runtime.start(filling, [subject.event()])

    def before() -> None:
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        for path in () if copies else kept.iterdir():
            shutil.copyfile(path, own / path.name)

    subject.before = before


def _names(deployed: Deployed) -> dict[str, str]:
    return {found.path: found.name for found in deployed.resources() if found.kind == "AWS::Lambda::Function"}


def _invoke(stack: Stack, function: str, tree: Path, sample: str) -> None:
    """Let a deployed function do its work, so that another finds what it reads."""
    payload = (tree / _SAMPLES / f"{sample}.json").read_bytes()
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=payload)
    said = answer["Payload"].read().decode()
    if "FunctionError" in answer or '"statusCode": 4' in said:
        raise NotMeasured(f"{function} did not take {sample}: {said[:600]}")


def _packages(stack: Stack, name: str, folder: Path, *, bytecode: bool = True) -> dict[str, Package]:
    """What was deployed of a stack's functions, by their paths.

    Args:
        stack: where.
        name: of the root stack.
        folder: where to unpack it to.
        bytecode: whether bytecode that was deployed stays.
    """
    known, made = stack.client("lambda"), {}
    unpacked: dict[str, tuple[Path, int]] = {}

    def unpack(url: str) -> tuple[Path, int]:
        url = url.partition("?")[0]
        if url not in unpacked:
            answer = httpx.get(url, headers=signed(stack.access, url), timeout=60)
            answer.raise_for_status()
            into = folder / str(len(unpacked))
            with zipfile.ZipFile(BytesIO(answer.content)) as archive:
                archive.extractall(into)  # noqa: S202 - what was uploaded from here
            if not bytecode:
                for cache in list(into.rglob("__pycache__")):
                    shutil.rmtree(cache)
            unpacked[url] = into, zipped(into)
        return unpacked[url]

    for path, function in _names(Deployed(stack.client, {}, name)).items():
        found = known.get_function(FunctionName=function)
        about = found["Configuration"]
        layers = []
        for layer in about.get("Layers", []):
            layer_name, _, version = layer["Arn"].rpartition(":")
            content = known.get_layer_version(LayerName=layer_name, VersionNumber=int(version))["Content"]
            layers.append(unpack(content["Location"]))
        code = unpack(found["Code"]["Location"])
        made[path] = Package(
            path, about["Handler"], code[0], [layer[0] for layer in layers],
            # The session of its own role, as on AWS: some doors open to no other.
            {**about.get("Environment", {}).get("Variables", {}), **session(stack, about["Role"])}, about["MemorySize"],
            [code[1], *(layer[1] for layer in layers)],
        )  # fmt: skip
    return made


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def page(found: Bench, repeats: int, *, counts: bool) -> str:
    """The figures, with where and how they were taken.

    Args:
        found: measured.
        repeats: cold starts of each.
        counts: whether instructions were counted, too.
    """
    head = ["function", "INIT ms", "first ms", "warm ms", "MB of memory", "KB zipped: code + layers"]
    head += ["INIT, million instructions", "INIT + first"] if counts else []
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [_line(name, subject, counts) for name, subject in found.others.items()]
    for row in found.rows:
        lines.append(_line(f"`{_spoken(row.case.function)}`", row.now, counts))
        if row.former:
            lines.append(_line(f"– at {FORMER}, as `sam build` ships it", row.former, counts))
    ratios = [["function", "milliseconds", *(["instructions"] if counts else []), "at most", "KB zipped", ""]]
    ratios.append(["---", *["---:"] * (len(ratios[0]) - 2), "---"])
    ratios += [_ratio(row, counts) for row in found.rows]
    without = "" if counts else " Without valgrind, so no instructions were counted."
    return "\n".join(
        [
            f"{measured.where()}, boto3 {found.runtime.boto3}, median of {repeats} cold starts.{without}",
            "",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"INIT and first invocation together, as a part of what they were at {FORMER}; and no package above 8,000 "
            "KB, but for what Stripe's library weighs:",
            "",
            *(f"| {' | '.join(line)} |" for line in ratios),
            *(["", "### An order, cold and warm", "", *chains.table(found.chain)] if found.chain else []),
            *_standby(found),
        ]
    )


_WAITED_FOR = ("Orders/ApiFunction", "Promotions/ApiFunction", "Payments/PaymentsFunction")


def _standby(found: Bench) -> list[str]:
    """What it would cost that the functions that somebody waits for are there before."""
    rows = [row.now for row in found.rows if row.case.function in _WAITED_FOR]
    if not rows:
        return []
    lines = [
        "",
        "### By the list of prices",
        "",
        "| US dollars, arm64 | a million cold starts | a snapshot, a month | a million restores "
        "| one kept started, a month | pays from | cheaper than a snapshot from |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for subject in rows:
        package = subject.package
        way = Standby(Prices.read("arm64"), package.memory / 1024, subject.init / 1000, subject.warm / 1000)
        lines.append(
            f"| `{package.name}`, {package.memory} MB, INIT {subject.init:.0f} ms, warm {subject.warm:.1f} ms "
            f"| {way.cold_start * 1e6:.2f} | {way.snapshot:.2f} | {way.restore * 1e6:.2f} | {way.kept:.2f} "
            f"| {way.kept_pays_from:,.0f} requests/s | {way.kept_is_cheaper_from:,.0f} cold starts a month |"
        )
    return lines


def _line(name: str, subject: Subject, counts: bool) -> list[str]:
    sizes = " + ".join(f"{size / 1000:,.0f}" for size in subject.package.zipped)
    figures = [f"{subject.init:.0f}", f"{subject.first:.1f}", f"{subject.warm:.1f}", f"{subject.peak:.0f}", sizes]
    return [name, *figures, *([f"{subject.init_count:,.0f}", f"{subject.first_count:,.0f}"] if counts else [])]


def _ratio(row: Row, counts: bool) -> list[str]:
    size = row.now.package.zipped[0] + sum(
        size
        for size, layer in zip(row.now.package.zipped[1:], row.now.package.layers, strict=True)
        if not (layer / "python" / "stripe").is_dir()
    )
    parts, missed = [], []
    if row.former:
        parts = [row.now.cold / row.former.cold]
        parts += [row.now.first_count / row.former.first_count] if counts else []
        missed = ["slower than that"] if max(parts) > row.case.at_most else []
    missed += ["larger than that"] if size > SERVICE_LIMIT else []
    columns = [f"{part:.2f}" for part in parts] or ["was not there"] * (2 if counts else 1)
    limit = f"{row.case.at_most:.2f}" if row.former else ""
    verdict = f"✗ {', '.join(missed)}" if missed else "✓"
    return [f"`{_spoken(row.case.function)}`", *columns, limit, f"{size / 1000:,.0f}", verdict]


def _spoken(path: str) -> str:
    return path.replace("Service/", "/")


def profile(found: Bench, function: str) -> list[tuple[str, float]]:
    """What a function's INIT imports, by the milliseconds of each module itself.

    Raises:
        NotMeasured: there is no such function.
    """
    rows: Sequence[Row] = [row for row in found.rows if _spoken(row.case.function) == _spoken(function)]
    if not rows:
        raise NotMeasured(f"No function {function}: {', '.join(_spoken(case.function) for case in CASES)}.")
    return found.runtime.imports(rows[0].now.package)
