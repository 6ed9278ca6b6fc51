"""The base of every model: pydantic's, except that its errors keep to themselves what they were given.

A validation error is logged with its message, and X-Ray writes the message of whatever a function raises into the
trace. By default that message repeats the input, such as a customer's address.

Source: pydantic documentation, "Configuration", `hide_input_in_errors`.
"""

import pydantic


class BaseModel(pydantic.BaseModel):
    """A pydantic model whose errors say where and why, never what."""

    model_config = pydantic.ConfigDict(hide_input_in_errors=True)


def faults(error: pydantic.ValidationError) -> str:
    """Where a value does not fit its model and why, without the value.

    Args:
        error: what pydantic raised.

    Returns:
        `delivery.address: Field required; …`, at most 1,024 characters.
    """
    wrong = [
        # The message on an unknown tag repeats it.
        f"{'.'.join(str(part) for part in e['loc']) or 'message'}: "
        f"{'unknown tag' if e['type'] == 'union_tag_invalid' else e['msg']}"
        for e in error.errors(include_input=False, include_context=False, include_url=False)
    ]
    return "; ".join(wrong)[:1024]
