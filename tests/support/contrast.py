"""Contrast of text with its background."""


def contrast(one, other):
    """Return the contrast ratio of two colors, each three numbers from 0 to 1 (WCAG 2.2, "contrast ratio")."""

    def luminance(color):
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in color]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
