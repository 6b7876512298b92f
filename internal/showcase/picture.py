"""Draws what stands on a terminal, from standard input, as a picture: picture.py COLUMNS FILE.svg.

Rich draws the terminal. What it draws as one text is taken apart here at blanks and at wide characters, and each piece put where its column is:
viewers disagree about blanks at the beginning of a text and about the length that it should have, and few have a font in which a Chinese
character is exactly two columns wide."""
import html
import io
import re
import sys

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMN = 20 * 0.61  # as Rich has it
FONTS = "ui-monospace, 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def apart(text):
    begin, x, end, content = text.groups()
    pieces, at = [], float(x)
    for piece in re.findall(r"[\xa0\s]+|[!-~]+|[─-▟]+|.", html.unescape(content)):
        width = cell_len(piece)
        if piece.strip():
            pieces.append(f'{begin} x="{at:g}"{end} textLength="{width * COLUMN:g}">{html.escape(piece)}</text>')
        at += width * COLUMN
    return "".join(pieces)


columns, file = int(sys.argv[1]), sys.argv[2]
console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, legacy_windows=False)
console.print(Text.from_ansi(sys.stdin.read(), no_wrap=True, overflow="crop"), soft_wrap=True, highlight=False)
svg = console.export_svg(title="larder", theme=MONOKAI)

# The reader's own font: one that is fetched would not be, where a picture may fetch nothing.
svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
svg = svg.replace("font-family: Fira Code, monospace;", f"font-family: {FONTS}; font-variant-ligatures: none;")
svg = re.sub(r'(<text class="[^"]*") x="([^"]*)"( y="[^"]*") textLength="[^"]*" clip-path="[^"]*">(.*?)</text>', apart, svg, flags=re.DOTALL)
svg = re.sub(r"<clipPath id=\"[^\"]*-line-.*?</clipPath>\s*", "", svg, flags=re.DOTALL)  # of the texts, which have none any more
with open(file, "w", encoding="utf-8") as to:
    to.write("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
