# SPDX-License-Identifier: Apache-2.0
"""The table of `bench/run`: a row is a piece of work, a column a program."""

import statistics

LABEL_COLUMNS = 13
CELL_COLUMNS = 13


def number(ms):
    return f"{ms:.0f}" if ms >= 99.5 else f"{ms:.1f}"


def times(ratio):
    return f" x{ratio:.1f}" if ratio >= 0.995 else f" x{ratio:.2f}"


def cell(samples, base):
    """Two lines: median and how many times lyr's it is; smallest and largest."""
    if not samples:
        return "-", ""
    median = statistics.median(samples)
    ratio = times(median / statistics.median(base)) if base and base is not samples else ""
    return number(median) + ratio, f"{number(min(samples))}–{number(max(samples))}"


def render(rows, columns, samples):
    """`rows`: (key, label, what); `samples[column][key]`: milliseconds."""
    lines = ["".join([" " * LABEL_COLUMNS, *(name.rjust(CELL_COLUMNS) for name in columns)])]
    base = samples.get("lyr", {})
    for key, label, unit in rows:
        cells = [cell(samples[name].get(key), base.get(key)) for name in columns]
        lines.append(label.ljust(LABEL_COLUMNS) +
                     "".join(first.rjust(CELL_COLUMNS) for first, _ in cells))
        lines.append(f"  {unit}".ljust(LABEL_COLUMNS) +
                     "".join(second.rjust(CELL_COLUMNS) for _, second in cells))
    return "\n".join(line.rstrip() for line in lines)
