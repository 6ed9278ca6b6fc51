"""One order's timeline as a page: a single file that needs nothing from anywhere."""

import json
from html import escape
from typing import Any

from support.facts import Execution, LogLine
from support.steps import steps
from support.story import Story, clock, duration
from support.timeline import Span, Timeline
from support.visits import Visit

from . import diagram
from .axis import Axis
from .text import attempts

_STYLE = """
:root { color-scheme: light dark;
  --bg: #f7f5f1; --card: #fffdf9; --ink: #23201b; --soft: #6d675d; --line: #e2dcd0; --idle: #f0ebe1;
  --accent: #0f766e; --accent-soft: #d7ece8; --wait: #7c5cbf; --wait-soft: #ebe4f8;
  --bad: #b3261e; --bad-soft: #fbe3e0; --warn: #a15c00; --warn-soft: #fcecd2; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #16171a; --card: #1e2024; --ink: #ece9e3; --soft: #9c978d; --line: #34363c; --idle: #26282d;
  --accent: #4fc3b5; --accent-soft: #17403b; --wait: #b49ae8; --wait-soft: #33294d;
  --bad: #ff8a80; --bad-soft: #4d2420; --warn: #f5b963; --warn-soft: #46351a; --good: #81c784; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1500px; margin: 0 auto; padding: 28px 24px 60px; }
header { border-left: 6px solid var(--tone); padding: 2px 0 2px 20px; margin-bottom: 26px; }
h1 { font-size: clamp(22px, 3vw, 32px); line-height: 1.2; margin: 0 0 8px; font-weight: 650; letter-spacing: -.01em; }
h1::first-letter { text-transform: uppercase; }
h2 { font-size: 13px; text-transform: uppercase; letter-spacing: .08em; color: var(--soft); margin: 0 0 14px; }
.facts { color: var(--soft); display: flex; flex-wrap: wrap; gap: 4px 18px; }
code, .mono, summary { font-family: ui-monospace, "SF Mono", Menlo, monospace; font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px; margin-bottom: 20px;
  min-width: 0; }
.columns { display: grid; grid-template-columns: minmax(420px, 1fr) minmax(420px, 1fr); gap: 20px; align-items: start; }
@media (max-width: 980px) { .columns { grid-template-columns: 1fr; } }
.scroll { overflow-x: auto; }
.scroll svg { max-width: 100%; height: auto; display: block; }
.edge { fill: none; stroke: var(--line); stroke-width: 1.5; }
.edge.taken { stroke: var(--accent); stroke-width: 2.5; }
marker .on { fill: var(--accent); } marker .off { fill: var(--line); }
.state rect { fill: var(--card); stroke: var(--line); stroke-width: 1.2; }
.state text { fill: var(--soft); font: 13px system-ui, sans-serif; text-anchor: middle; }
.state text.note { font-size: 11px; fill: var(--soft); }
.visited rect { fill: var(--accent-soft); stroke: var(--accent); }
.visited text { fill: var(--ink); font-weight: 600; }
.visited text.note { font-weight: 400; }
.waited rect { fill: var(--wait-soft); stroke: var(--wait); }
.failed rect { fill: var(--bad-soft); stroke: var(--bad); }
.open rect { stroke-width: 2.5; stroke-dasharray: 5 3; }
ol.steps { list-style: none; margin: 0; padding: 0; }
ol.steps > li { display: grid; grid-template-columns: 84px 14px 1fr; gap: 8px; padding: 5px 0; }
.at { color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; font-size: 13px; padding-top: 1px; }
.dot { width: 10px; height: 10px; border-radius: 50%; background: var(--accent); margin-top: 6px; }
.dot.request { border-radius: 2px; background: var(--ink); }
.dot.wait { background: var(--wait); } .dot.fault { background: var(--bad); } .dot.error { background: var(--warn); }
.what b { font-weight: 600; }
.soft { color: var(--soft); font-size: 13px; }
details { margin: 2px 0; } summary { cursor: pointer; color: var(--soft); font-size: 12px; }
pre { margin: 6px 0; padding: 10px 12px; background: var(--idle); border-radius: 8px; overflow-x: auto; font-size: 12px;
  line-height: 1.45; max-height: 420px; }
.log { border-left: 2px solid var(--accent); padding-left: 8px; margin: 4px 0; }
.log.WARNING { border-color: var(--warn); } .log.ERROR, .log.CRITICAL { border-color: var(--bad); }
.fall { display: grid; grid-template-columns: minmax(240px, 30%) 1fr 84px; row-gap: 2px; column-gap: 12px;
  align-items: center; font-size: 13px; position: relative; }
.fall .name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.fall .took { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.lane { position: relative; height: 18px; background: var(--idle); border-radius: 3px; }
.bar { position: absolute; top: 3px; bottom: 3px; min-width: 3px; border-radius: 3px; background: var(--accent); }
.bar.workflow, .bar.wait { top: 7px; bottom: 7px; background: var(--wait); opacity: .65; }
.bar.request, .bar.function { background: var(--ink); opacity: .75; }
.bar.error, .bar.throttle { background: var(--warn); opacity: 1; } .bar.fault { background: var(--bad); opacity: 1; }
.cut { position: absolute; top: 0; bottom: 0; background: repeating-linear-gradient(-45deg, var(--card) 0 4px,
  var(--line) 4px 6px); }
.trace { font-weight: 600; margin-top: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 12px; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; color: var(--soft); font-size: 12px; margin-bottom: 12px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -2px; }
.fails { color: var(--bad); } .warns { color: var(--warn); }
"""
_TONES = {"DELIVERED": "good", "OPEN": "accent", "EXPIRED": "bad", "FAILED": "bad", "DEAD": "bad"}


def page(timeline: Timeline, story: Story) -> str:
    """The whole page.

    Args:
        timeline: the order's, redacted.
        story: what came of it.
    """
    tone = _TONES.get(story.status, "warn")
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(timeline.order_id)}: {escape(story.sentence)}</title>
<style>{_STYLE}</style>
{diagram.markers()}
<main>
<header style="--tone: var(--{tone})">
<h1>{escape(story.sentence)}</h1>
<div class="facts">{_facts(timeline, story)}</div>
</header>
<div class="columns">
<div>{"".join(_drawing(timeline, execution) for execution in timeline.executions)}</div>
<section class="card"><h2>Step by step</h2>{_steps(timeline)}</section>
</div>
<section class="card"><h2>Traces</h2>{_waterfall(timeline)}</section>
<section class="card"><h2>Events, and who consumed them</h2>{_events(timeline)}</section>
<section class="card"><h2>Logs</h2>{_logs(timeline)}
</section>
</main>
</html>
"""


def _facts(timeline: Timeline, story: Story) -> str:
    traces = len({span.trace_id for span in timeline.spans})
    told = [
        f"<code>{escape(timeline.order_id)}</code>",
        f"<span>{escape(story.status)}</span>",
        f"<span>placed {clock(timeline.placed)} UTC</span>",
        *([f"<span>ended {clock(story.at)} UTC</span>"] if story.at else []),
        f"<span>{traces} traces</span>",
        f"<span>{len(timeline.events)} events</span>",
        f"<span>{len(timeline.logs)} log lines</span>",
        f"<span>from {escape(timeline.source)}</span>",
    ]
    if timeline.clock != 1:
        told.append(f"<span>workflow clock × {timeline.clock:g}</span>")
    return "".join(told)


def _drawing(timeline: Timeline, execution: Execution) -> str:
    visits = [v for v in timeline.visits if v.workflow == execution.kind]
    stuck = visits[-1].state if visits and visits[-1].left is None else None
    said = {
        "SUCCEEDED": "ran to its end",
        "RUNNING": "is running",
        "TIMED_OUT": "ran out of time",
        "ABORTED": "was stopped",
    }
    heading = "The life of the order" if execution.kind == "order" else "Unwinding it"
    error = f": {escape(execution.error)}" if execution.error else ""
    drawing = diagram.svg(execution.definition, visits, stuck) if execution.definition else ""
    return (
        f'<section class="card"><h2>{heading}</h2><p class="soft">This workflow '
        f"{said.get(execution.status, 'failed')}{error}.</p>"
        f'<div class="scroll">{drawing}</div></section>'
    )


def _steps(timeline: Timeline) -> str:
    items = []
    for step in steps(timeline):
        entry = step.entry
        if isinstance(entry, Span):
            body = f"<b>{escape(entry.name)}</b> <span class=soft>{entry.status or ''} · {_took(entry)}</span>"
            dot = f"request {entry.outcome}"
        else:
            body = _visit(entry)
            dot = "fault" if entry.failed else "wait" if entry.waits else ""
        body += "".join(_log(timeline, line) for line in step.lines)
        items.append(
            f'<li><span class="at">{step.at - timeline.placed:+.3f} s</span><span class="dot {dot}"></span>'
            f'<div class="what">{body}</div></li>'
        )
    return f'<ol class="steps">{"".join(items)}</ol>' if items else _nothing("No steps were taken yet.")


def _visit(visit: Visit) -> str:
    took = duration(visit.left - visit.entered) if visit.left else "not left"
    waited = "waited " if visit.waits and visit.left else ""
    unwinding = " · unwind" if visit.workflow == "unwind" else ""
    calls = "".join(
        f'<div class="soft {"fails" if attempt.error else ""}">{escape(line)}</div>'
        for line, attempt in zip(attempts(visit), visit.attempts, strict=True)
    )
    shown = {"input": visit.given}
    for number, attempt in enumerate(visit.attempts, 1):
        which = f" {number}" if len(visit.attempts) > 1 else ""
        shown[f"call{which}"] = attempt.given
        shown[f"answer{which}"] = attempt.returned if attempt.error is None else f"{attempt.error}: {attempt.cause}"
    told = [_json(name, value) for name, value in shown.items() if value is not None]
    return (
        f"<b>{escape(visit.state)}</b> <span class=soft>{waited}{took}{unwinding}</span>{calls}"
        f"<details><summary>in and out</summary>{''.join(told)}</details>"
    )


def _json(name: str, value: Any) -> str:
    return f"<pre><b>{escape(name)}</b>\n{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _logs(timeline: Timeline) -> str:
    return "".join(_log(timeline, line) for line in timeline.logs) or _nothing("No log lines.")


def _log(timeline: Timeline, line: LogLine) -> str:
    fields = {k: v for k, v in line.fields.items() if k not in ("message", "function_arn")}
    return (
        f'<details class="log {escape(line.level)}"><summary>{line.at - timeline.placed:+.3f} s '
        f"{escape(line.service)} · {escape(line.message)}</summary>{_json(line.level, fields)}</details>"
    )


def _waterfall(timeline: Timeline) -> str:
    if not timeline.spans:
        return _nothing("No trace segments were found.")
    axis = Axis(timeline.spans)
    cuts = "".join(
        f'<span class="cut" style="left:{b.at:.2%};width:{b.width:.2%}" title="{duration(b.seconds)} idle"></span>'
        for b in axis.breaks
    )
    rows = []
    for root in timeline.spans:
        for depth, span in root.walk():
            left, right = axis.at(span.start), axis.at(span.end)
            classes = f"bar {span.kind} {span.outcome} {'wait' if span.waits else ''}"
            status = "" if span.status is None or span.status < 300 else f" · {span.status}"
            tone = {"fault": "fails", "error": "warns", "throttle": "warns"}.get(span.outcome, "")
            title = escape(f"{span.name}: {_took(span)}{status}{f', {span.cause}' if span.cause else ''}", quote=True)
            rows.append(
                f'<div class="name {tone} {"trace" if depth == 0 else ""}" style="padding-left:{depth * 14}px" '
                f'title="{title}">{escape(span.name)}{status}</div>'
                f'<div class="lane" title="{title}">{cuts}<span class="{classes}" '
                f'style="left:{left:.3%};width:{max(right - left, 0):.3%}"></span></div>'
                f'<div class="took">{_took(span)}</div>'
            )
    legend = (
        '<div class="legend"><span><i style="background:var(--ink);opacity:.75"></i>request, function</span>'
        '<span><i style="background:var(--accent)"></i>call, state</span>'
        '<span><i style="background:var(--wait)"></i>workflow, waiting</span>'
        '<span><i style="background:var(--warn)"></i>refused</span>'
        '<span><i style="background:var(--bad)"></i>failed</span>'
        + ('<span><i class="cut" style="position:static"></i>idle, cut short</span>' if axis.breaks else "")
        + "</div>"
    )
    return f'{legend}<div class="fall">{"".join(rows)}</div>'


def _took(span: Span) -> str:
    return duration(span.end - span.start)


def _events(timeline: Timeline) -> str:
    if not timeline.events:
        return _nothing("Nothing was announced yet.")
    rows, nobody = [], "<span class=soft>nobody that is traced</span>"
    for event in timeline.events:
        consumers = "<br>".join(
            f"{escape(c.service)}, {duration(c.delay)} later"
            + ("" if c.outcome in ("ok", "consumed") else f' <span class="warns">{escape(c.outcome)}</span>')
            + (f", {again}" if again else "")
            for c, again in event.heard()
        )
        rows.append(
            f'<tr><td class="num">{event.occurred_at - timeline.placed:+.3f} s</td><td><b>{escape(event.name)}</b>'
            f"<details><summary>data</summary>{_json(event.event_id, event.data)}</details></td>"
            f"<td>{escape(event.source)}</td><td>{consumers or nobody}</td></tr>"
        )
    return (
        '<div class="scroll"><table><tr><th>after placing</th><th>event</th><th>from</th><th>consumed by</th></tr>'
        f"{''.join(rows)}</table></div>"
    )


def _nothing(text: str) -> str:
    return f'<p class="soft">{escape(text)}</p>'
