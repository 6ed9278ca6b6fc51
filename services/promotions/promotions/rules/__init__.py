"""What earns a promo code: one file per rule, found by being here.

A rule's file holds its terms as data, and one pure function `rule` over a customer's history. A new rule is a new file.
"""

from importlib import import_module
from pkgutil import iter_modules

from promotions.model import Rule

RULES: tuple[Rule, ...] = tuple(
    import_module(f"{__name__}.{module.name}").rule for module in sorted(iter_modules(__path__), key=lambda m: m.name)
)
