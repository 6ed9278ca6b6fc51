"""What MiniStack lacks and Tiffin relies on: one module per behaviour of AWS, each applied before the emulator starts.

A filler wraps functions of MiniStack 1.5.33 and changes what comes out of them; it never changes Tiffin. Its module
says which behaviour of AWS it stands for, and where AWS documents it. `fill` fails loudly if MiniStack no longer has
what is wrapped.
"""

import os

from . import (
    access_logs,
    api_hosts,
    api_updates,
    authorizer_claims,
    bus_policies,
    callback_permissions,
    conditional_changes,
    destination_permissions,
    durable_configs,
    durable_events,
    durable_executions,
    durable_permissions,
    event_archives,
    execution_ends,
    execution_timeouts,
    file_systems,
    gateway_responses,
    lambda_errors,
    mail_conditions,
    method_settings,
    mock_integrations,
    nested_retention,
    nested_sam,
    nested_updates,
    object_events,
    provisioned_concurrency,
    put_events,
    retry_delays,
    rule_invocations,
    secure_transport,
    shared_layers,
    sign_in_sessions,
    start_execution,
    stream_failures,
    stream_targets,
    target_permissions,
    task_history,
    task_tokens,
    token_revocation,
    trace_segments,
    user_pools,
    websocket_answers,
    websocket_invocations,
    workflow_definitions,
    workflow_permissions,
    workflow_versions,
    xray_api,
)

# In this order: a later one may build upon an earlier one.
ALL = (
    nested_sam,
    nested_updates,
    conditional_changes,
    api_updates,
    nested_retention,
    secure_transport,
    lambda_errors,
    durable_configs,
    durable_events,
    durable_executions,
    durable_permissions,
    execution_ends,
    execution_timeouts,
    task_tokens,
    callback_permissions,
    start_execution,
    workflow_definitions,
    workflow_versions,
    put_events,
    retry_delays,
    bus_policies,
    workflow_permissions,
    stream_targets,
    target_permissions,
    rule_invocations,
    destination_permissions,
    object_events,
    stream_failures,
    shared_layers,
    file_systems,
    api_hosts,
    provisioned_concurrency,
    event_archives,
    task_history,
    mail_conditions,
    gateway_responses,
    mock_integrations,
    websocket_answers,
    websocket_invocations,
    authorizer_claims,
    user_pools,
    sign_in_sessions,
    token_revocation,
    access_logs,
    method_settings,
    xray_api,
    trace_segments,
)

LEFT_OPEN = "TIFFIN_GAPS_LEFT_OPEN"
"""Environment variable: names of fillers to leave out, comma-separated; so a test shows what each one is for."""


def fill() -> None:
    """Apply every filler."""
    left_open = os.environ.get(LEFT_OPEN, "").split(",")
    for gap in ALL:
        if gap.__name__.rpartition(".")[2] not in left_open:
            gap.fill()
