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


def render(rows, columns, samples, base_column="lyr"):
    """`rows`: (key, label, what); `samples[column][key]`: milliseconds."""
    def line(label, cells):
        widths = [max(CELL_COLUMNS, len(name) + 2) for name in columns]
        return label.ljust(LABEL_COLUMNS) + "".join(map(str.rjust, cells, widths))

    lines = [line("", columns)]
    base = samples.get(base_column, {})
    for key, label, unit in rows:
        cells = [cell(samples[name].get(key), base.get(key)) for name in columns]
        lines.append(line(label, [first for first, _ in cells]))
        lines.append(line(f"  {unit}", [second for _, second in cells]))
    return "\n".join(text.rstrip() for text in lines)


def render_markdown(rows, columns, samples, base_column="lyr"):
    """The same for a page: median (times the base's) smallest–largest."""
    base = samples.get(base_column, {})
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for key, label, unit in rows:
        cells = [cell(samples[name].get(key), base.get(key)) for name in columns]
        texts = [f"{first} {span}".strip().replace(" x", " ×") for first, span in cells]
        lines.append(f"| {label}, {unit} | " + " | ".join(texts) + " |")
    return "\n".join(lines)
