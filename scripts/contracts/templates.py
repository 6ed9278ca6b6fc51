"""Check the templates as AWS would see them: transformed, resolved, and held against what its services take.

cfn-lint looks at the templates as they are written, where a name is still a formula. Here each is what CloudFormation
would make of it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import lru_cache

from cfnlint.config import ConfigMixIn
from cfnlint.rules import Rules
from cfnlint.runner import Runner, run_template_by_data

from . import api_rules, permissions
from .cloudformation import REGION, Finding, Stack, Templates, deploy

Check = Callable[[Stack], Iterator[Finding]]

# A name as long as people give, beside the README's.
NAMES = ("tiffin-staging", "tiffin")
# Whatever is behind a condition is made in one of these, and missing in another.
PARAMETERS: tuple[dict[str, str], ...] = (
    {},
    {"PaymentProvider": "stripe", "NotificationsSender": "hello@example.com", "AlarmEmail": "ops@example.com"},
    {"Estimates": "true"},
    {"FullObservability": "false"},
    {"Kitchens": "true"},
    {"Console": "true"},
)

# cfn-lint's rules that a resolved template breaks by being resolved.
_ONLY_AS_WRITTEN = {
    "E3502": "follows a dead-letter queue by its GetAtt, which is an ARN by now",
    "W3010": "wants zones that Fn::GetAZs found",
    "W3002": "wants addresses that only `sam package` knows",
}


def lint(templates: Templates) -> list[Finding]:
    """Names, bounds, permissions and parameters: what no schema knows.

    Args:
        templates: transformed ones, the root's and all that it nests.

    Returns:
        What is wrong, each thing once.
    """
    found: list[Finding] = []
    for parameters in PARAMETERS:
        stacks, others = (deploy(templates, name, parameters) for name in NAMES)
        for stack in stacks:
            found += stack.problems
            for check in (api_rules.bounds, api_rules.substitutions, permissions.check):
                found += _found(check, stack)
        found += api_rules.shared_names(stacks, others)
    for location, template in templates.items():
        found += api_rules.unknown_names(location, template)
    found += api_rules.open_parameters(templates)
    return list(dict.fromkeys(found))


def lint_resolved(templates: Templates) -> list[Finding]:
    """What cfn-lint says of the resolved templates.

    Args:
        templates: transformed ones, the root's and all that it nests.
    """
    found = [
        finding
        for parameters in PARAMETERS
        for stack in deploy(templates, NAMES[0], parameters)
        for finding in _found(_cfn_lint, stack)
    ]
    return list(dict.fromkeys(found))


# By check, and by what it looked at: most stacks are the same whatever the parameters are.
_FOUND: dict[tuple[Check, str], list[Finding]] = {}


def _found(check: Check, stack: Stack) -> list[Finding]:
    looked_at = json.dumps([stack.location, stack.name, stack.resolved])
    key = check, hashlib.sha256(looked_at.encode()).hexdigest()
    if key not in _FOUND:
        _FOUND[key] = list(check(stack))
    return _FOUND[key]


def _cfn_lint(stack: Stack) -> Iterator[Finding]:
    config, rules = _cfn_rules()
    for match in run_template_by_data(stack.resolved, config, rules):
        if match.rule.id not in _ONLY_AS_WRITTEN:
            path = [str(part) for part in getattr(match, "path", None) or []]
            where = path[1] if len(path) > 1 else "-"
            yield Finding(
                f"{stack.location}: {where}", f"{'.'.join(path[3:])}: {match.message} [cfn-lint {match.rule.id}]"
            )


@lru_cache(maxsize=1)
def _cfn_rules() -> tuple[ConfigMixIn, Rules]:
    config = ConfigMixIn(regions=[REGION])
    return config, Runner(config).rules
