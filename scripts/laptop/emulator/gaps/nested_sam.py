"""CloudFormation expands the SAM transform in a nested stack's template as it does in the root's.

Source: AWS SAM developer guide, "Reuse code and resources using nested applications". MiniStack transforms the root
only and refuses `AWS::Serverless::Function` in a child.
"""

from typing import Any

from ministack.services.cloudformation import engine

_SAM = "AWS::Serverless-2016-10-31"


def fill() -> None:
    """Wrap the parser where a nested stack's provisioner looks it up; a root's handlers hold the original."""
    parse = engine._parse_template

    def parse_template(body: str) -> Any:
        template = parse(body)
        declared = template.get("Transform") or []
        if _SAM not in ([declared] if isinstance(declared, str) else declared):
            return template
        expanded = engine._apply_transforms(template)
        if isinstance(expanded, engine._TransformFailed):
            raise ValueError(expanded.error)  # noqa: TRY004 - what the provisioner reports as the stack's failure
        return expanded

    engine._parse_template = parse_template
