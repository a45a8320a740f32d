"""UCUM codes (unitsofmeasure.org) and exact conversion between them.

A code is taken apart by UCUM's grammar (products, quotients, exponents, metric prefixes, annotations) over the atoms that the
region measures in, which are the table `_ATOMS`. Factors are fractions and values are decimals, so converting adds no float dust:
0.1 mg/m3 is 100 ug/m3, and a sum of converted readings does not depend on who converted them.

Stricter than UCUM in one point: an annotation that stands alone is a kind of its own, so `{vehicle}/h` is not `{bicycle}/h`, and
a percentage is no count.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

import msgspec

_LONGEST = 60
_LARGEST_EXPONENT = 12

# Symbols in use that are not UCUM. `C` is missing on purpose: in UCUM it is the coulomb.
_ALIASES = {
    "": "1",
    "°C": "Cel",
    "℃": "Cel",
    "degC": "Cel",
    "°F": "[degF]",
    "degF": "[degF]",
    "°": "deg",
    "kWh": "kW.h",
    "Wh": "W.h",
    "MWh": "MW.h",
    "GWh": "GW.h",
    "Ah": "A.h",
    "VA": "V.A",
    "kVA": "kV.A",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "ppt": "[pptr]",
    "dB(A)": "dB[A]",
    "dBA": "dB[A]",
    "dB{A}": "dB[A]",
    "kn": "[kn_i]",
    "kt": "[kn_i]",
    "mmHg": "mm[Hg]",
    "Ω": "Ohm",
    "EUR": "{EUR}",
    "DKK": "{DKK}",
    "EUR/MWh": "{EUR}/MW.h",
    "DKK/MWh": "{DKK}/MW.h",
    "%RH": "%",
}
_SPELLING = str.maketrans({"µ": "u", "μ": "u", "²": "2", "³": "3", "·": ".", "⋅": ".", "−": "-"})

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip
_BINARY_PREFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

# code → (factor, in which units, may take a prefix). An empty unit is a base of its own.
_ATOMS: dict[str, tuple[str, str, bool]] = {
    "m": ("1", "", True),
    "s": ("1", "", True),
    "g": ("1", "", True),
    "K": ("1", "", True),
    "C": ("1", "A.s", True),
    "cd": ("1", "", True),
    "A": ("1", "", True),
    "rad": ("1", "", True),
    "mol": ("1", "", True),
    "bit": ("1", "", True),
    "B": ("1", "", True),
    "B[A]": ("1", "", True),
    "B[C]": ("1", "", True),
    "B[SPL]": ("1", "", True),
    "B[W]": ("1", "", True),
    "[pH]": ("1", "", False),
    "By": ("8", "bit", True),
    "Bd": ("1", "s-1", True),
    "sr": ("1", "rad2", True),
    "Hz": ("1", "s-1", True),
    "N": ("1000", "g.m/s2", True),
    "Pa": ("1", "N/m2", True),
    "J": ("1", "N.m", True),
    "W": ("1", "J/s", True),
    "V": ("1", "J/C", True),
    "F": ("1", "C/V", True),
    "Ohm": ("1", "V/A", True),
    "S": ("1", "A/V", True),
    "Wb": ("1", "V.s", True),
    "T": ("1", "Wb/m2", True),
    "H": ("1", "Wb/A", True),
    "lm": ("1", "cd.sr", True),
    "lx": ("1", "lm/m2", True),
    "Bq": ("1", "s-1", True),
    "Gy": ("1", "J/kg", True),
    "Sv": ("1", "J/kg", True),
    "kat": ("1", "mol/s", True),
    "l": ("1", "dm3", True),
    "L": ("1", "dm3", True),
    "t": ("1000", "kg", True),
    "bar": ("100000", "Pa", True),
    "ar": ("100", "m2", True),
    "eV": ("1.602176634e-19", "J", True),
    "cal": ("4.184", "J", True),
    "min": ("60", "s", False),
    "h": ("3600", "s", False),
    "d": ("86400", "s", False),
    "wk": ("604800", "s", False),
    "a": ("31557600", "s", False),
    "deg": (repr(math.pi / 180), "rad", False),
    "'": (repr(math.pi / 10_800), "rad", False),
    "''": (repr(math.pi / 648_000), "rad", False),
    "gon": (repr(math.pi / 200), "rad", False),
    "%": ("0.01", "{ratio}", False),
    "[ppth]": ("1e-3", "{ratio}", False),
    "[ppm]": ("1e-6", "{ratio}", False),
    "[ppb]": ("1e-9", "{ratio}", False),
    "[pptr]": ("1e-12", "{ratio}", False),
    "atm": ("101325", "Pa", False),
    "m[Hg]": ("133322", "Pa", True),
    "m[H2O]": ("9806.65", "Pa", True),
    "[in_i]": ("0.0254", "m", False),
    "[ft_i]": ("0.3048", "m", False),
    "[mi_i]": ("1609.344", "m", False),
    "[nmi_i]": ("1852", "m", False),
    "[kn_i]": ("1852", "m/h", False),
    "[g]": ("9.80665", "m/s2", True),
    "[lb_av]": ("453.59237", "g", False),
    "[gal_us]": ("3.785411784", "l", False),
    "10*": ("10", "1", False),
    "10^": ("10", "1", False),
}
_RATIO = "{ratio}"

# Scales with a zero of their own stand alone: (factor, zero) so that K = factor · (value + zero).
_SCALES = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67")),
}

_FACTOR = re.compile(
    r"([./])?(?:(10[*^]|[A-Za-z%'\[\]_]+(?:\[[A-Za-z0-9_]+\])?|\[[A-Za-z0-9_]+\])([+-]?\d+)?|(\d+))?(\{[!-z|~]*\})?"
)
_EXACT = Context(prec=34)


class UnitError(ValueError):
    """A unit that is not known or does not fit: `reason` is a code of docs/dead-letters.md, `detail` says what."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Unit(msgspec.Struct, frozen=True):
    """A code taken apart: value in base units = `factor` · (value + `zero`); `bases` are the base units' exponents."""

    factor: Fraction
    zero: Fraction
    bases: tuple[tuple[str, int], ...]

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """What is counted: the annotations that stand alone."""
        return tuple(base for base in self.bases if base[0].startswith("{"))

    @property
    def physical(self) -> tuple[tuple[str, int], ...]:
        """The dimension: base units without annotations."""
        return tuple(base for base in self.bases if not base[0].startswith("{"))


class Conversion(msgspec.Struct, frozen=True):
    """From one unit into another: target = value · `numerator` / `denominator` + `shift`, reckoned in decimals."""

    numerator: Decimal
    denominator: Decimal
    shift: Decimal
    identity: bool

    @property
    def factor(self) -> float:
        """The factor as the nearest float."""
        return float(_EXACT.divide(self.numerator, self.denominator))

    @property
    def offset(self) -> float:
        """What is added after the factor, as the nearest float."""
        return float(self.shift)

    def convert(self, value: float) -> float:
        """Return the value in the target's unit, unchanged where the units are the same; raises `UnitError` (`out_of_range`)."""
        if self.identity:
            return value
        product = _EXACT.multiply(Decimal(repr(value)), self.numerator)
        result = float(_EXACT.add(_EXACT.divide(product, self.denominator), self.shift))
        if not math.isfinite(result):
            raise UnitError("out_of_range", f"{value!r} leaves the range of numbers when converted")
        return result


def canonical(code: str) -> str:
    """Return the UCUM code for a spelling in use (`°C` → `Cel`, `µg/m³` → `ug/m3`), else the code itself."""
    return _ALIASES.get(code) or _ALIASES.get(code.translate(_SPELLING)) or code.translate(_SPELLING)


def is_known(code: str) -> bool:
    """Whether this code can be taken apart."""
    try:
        unit(code)
    except UnitError:
        return False
    return True


@lru_cache(maxsize=4_096)
def unit(code: str) -> Unit:
    """Take a UCUM code (or a spelling of `canonical`) apart; raises `UnitError` with reason `unknown_unit`."""
    if len(code) > _LONGEST:
        raise UnitError("unknown_unit", f"unit {code[:_LONGEST]!r}…: longer than {_LONGEST} characters")
    ucum = canonical(code)
    bare = re.sub(r"\{[!-z|~]*\}$", "", ucum)
    if bare in _SCALES:
        return Unit(*_SCALES[bare], (("K", 1),))
    try:
        return _product(ucum)
    except _UnknownError:
        raise UnitError("unknown_unit", f"unit {code!r} is no known UCUM code") from None


@lru_cache(maxsize=4_096)
def converter(from_code: str, to_code: str) -> Conversion:
    """Return how values of one unit become values of another; raises `UnitError`: `unknown_unit` or `wrong_unit`."""
    source, target = unit(from_code), unit(to_code)
    if not _comparable(source, target):
        raise UnitError("wrong_unit", f"unit {from_code!r} does not convert to {to_code!r}{_hint(from_code)}")
    factor = source.factor / target.factor
    shift = source.zero * factor - target.zero
    return Conversion(
        Decimal(factor.numerator),
        Decimal(factor.denominator),
        _EXACT.divide(Decimal(shift.numerator), Decimal(shift.denominator)),
        factor == 1 and shift == 0,
    )


def _comparable(source: Unit, target: Unit) -> bool:
    if source.physical != target.physical:
        return False
    kinds = {source.kinds, target.kinds}
    return len(kinds) == 1 or (() in kinds and ((_RATIO, 1),) in kinds) or (() in kinds and not any(_has_ratio(k) for k in kinds))


def _has_ratio(kinds: tuple[tuple[str, int], ...]) -> bool:
    return any(name == _RATIO for name, _ in kinds)


def _hint(code: str) -> str:
    return "; C is the coulomb in UCUM, degrees Celsius are Cel" if code == "C" else ""


class _UnknownError(Exception):
    """Not UCUM, or an atom that is not in the table."""


def _product(code: str) -> Unit:
    factor = Fraction(1)
    bases: Counter[str] = Counter()
    at = 0
    while at < len(code):
        match = _FACTOR.match(code, at)
        if match is None or match.end() == at or not _well_placed(match, at):
            raise _UnknownError
        part, sign = _part(match), -1 if match[1] == "/" else 1
        factor *= part.factor**sign
        for name, exponent in part.bases:
            bases[name] += sign * exponent
        at = match.end()
    return Unit(factor, Fraction(0), tuple(sorted((name, n) for name, n in bases.items() if n)))


def _well_placed(match: re.Match[str], at: int) -> bool:
    """Whether an operator stands before every factor but the first, where only `/` may, and never alone."""
    operator, has_operand = match[1], any(match.group(2, 4, 5))
    return has_operand and ((at == 0 and operator != ".") or (at > 0 and operator is not None))


def _part(match: re.Match[str]) -> Unit:
    _, symbol, exponent, number, annotation = match.groups()
    if number:
        if not int(number):
            raise _UnknownError
        return Unit(Fraction(int(number)), Fraction(0), ())
    if not symbol:
        return Unit(Fraction(1), Fraction(0), ((annotation, 1),) if annotation != "{}" else ())
    power = int(exponent or 1)
    if not 0 < abs(power) <= _LARGEST_EXPONENT:
        raise _UnknownError
    atom = _atom(symbol)
    return Unit(atom.factor**power, Fraction(0), tuple((name, n * power) for name, n in atom.bases))


@lru_cache(maxsize=1_024)
def _atom(symbol: str) -> Unit:
    if symbol in _ATOMS:
        return _known(symbol)
    for prefix, exponent in _PREFIXES.items():
        rest = symbol.removeprefix(prefix)
        if rest != symbol and _ATOMS.get(rest, ("", "", False))[2]:
            unprefixed = _known(rest)
            return Unit(unprefixed.factor * Fraction(10) ** exponent, Fraction(0), unprefixed.bases)
    for prefix, times in _BINARY_PREFIXES.items():
        if symbol in (f"{prefix}By", f"{prefix}bit"):
            unprefixed = _known(symbol.removeprefix(prefix))
            return Unit(unprefixed.factor * times, Fraction(0), unprefixed.bases)
    raise _UnknownError


def _known(symbol: str) -> Unit:
    times, of, _ = _ATOMS[symbol]
    if not of:
        return Unit(Fraction(times), Fraction(0), ((symbol, 1),))
    inner = Unit(Fraction(1), Fraction(0), ()) if of == "1" else _product(of)
    return Unit(Fraction(times) * inner.factor, Fraction(0), inner.bases)
