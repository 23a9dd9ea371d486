"""A badge for a README: the verdict in one word, as a small SVG."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from portable.validation.report.view import SIGNS, TONES, clean
from portable.validation.verdicts import Validation

# White text on these has a contrast of at least 4.5 to 1.
COLOURS = {"pass": "#00664a", "fail": "#a63c00", "open": "#755400", "none": "#4c5560"}
LEFT, HEIGHT, PAD = "portable validate", 20, 7
_WIDE, _NARROW = "mwMW@%≈⊘", "fijlrtI.,:;'| ()"


def badge(v: Validation) -> str:
    """20 pixels high, as wide as its words need; the words are stretched to the estimated width, whatever the
    font.
    """
    right = f"{SIGNS.get(v.verdict, '')} {v.verdict}".strip()
    a, b = _width(LEFT), _width(right)
    left, whole = a + 2 * PAD, a + b + 4 * PAD
    text = (
        'y="14" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" '
        'lengthAdjust="spacingAndGlyphs"'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" viewBox="0 0 {whole} '
        f'{HEIGHT}" role="img" aria-label={quoteattr(f"{LEFT}: {v.verdict}")}>'
        f"<title>{escape(clean(f'{v.network}: {v.verdict}'))}</title>"
        f'<rect width="{whole}" height="{HEIGHT}" rx="3" fill="#3b4048"/>'
        f'<path d="M{left} 0h{whole - left - 3}a3 3 0 0 1 3 3v{HEIGHT - 6}a3 3 0 0 1 -3 '
        f'3h-{whole - left - 3}z" fill="{COLOURS[TONES.get(v.verdict, "none")]}"/>'
        f'<text x="{PAD}" textLength="{a}" {text}>{escape(LEFT)}</text><text x="{left + PAD}" '
        f'textLength="{b}" {text}>{escape(right)}</text></svg>\n'
    )


def _width(text: str) -> int:
    """Pixels of a text in 11-pixel Verdana, near enough."""
    return round(sum(10.5 if c in _WIDE else 4.3 if c in _NARROW else 7.0 for c in text))
